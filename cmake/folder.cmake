# enxerto_folder(NAME [DEPENDS folders] [LIBRARIES targets] HEADERS ... SOURCES ... [TESTS ...])
# One folder of the library: an internal static library enxerto_NAME and, where it has tests, the
# program NAME_tests. DEPENDS names the folders whose headers it includes (tools/check_includes.py
# holds that list against the code). Files are listed, never globbed.
define_property(GLOBAL PROPERTY ENXERTO_FOLDERS BRIEF_DOCS "folders" FULL_DOCS "folders of the library")
define_property(GLOBAL PROPERTY ENXERTO_HEADERS BRIEF_DOCS "headers" FULL_DOCS "headers to install")
define_property(GLOBAL PROPERTY ENXERTO_LIBRARIES BRIEF_DOCS "libs" FULL_DOCS "outside libraries")

function(enxerto_folder name)
  cmake_parse_arguments(F "" "" "DEPENDS;LIBRARIES;HEADERS;SOURCES;TESTS" ${ARGN})
  set(target enxerto_${name})
  add_library(${target} STATIC ${F_HEADERS} ${F_SOURCES})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  foreach(folder IN LISTS F_DEPENDS)
    target_link_libraries(${target} PUBLIC enxerto_${folder})
  endforeach()
  target_link_libraries(${target} PUBLIC ${F_LIBRARIES} Threads::Threads)
  enxerto_warnings(${target})
  if(name IN_LIST ENXERTO_SANITIZED_FOLDERS)
    enxerto_sanitize(${target})
  endif()
  set_property(GLOBAL APPEND PROPERTY ENXERTO_FOLDERS ${name})
  foreach(header IN LISTS F_HEADERS)
    set_property(GLOBAL APPEND PROPERTY ENXERTO_HEADERS ${name}/${header})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY ENXERTO_LIBRARIES ${F_LIBRARIES})
  if(ENXERTO_TESTS AND F_TESTS)
    enxerto_test_program(${name}_tests SOURCES ${F_TESTS} LIBRARIES ${target})
    if(name IN_LIST ENXERTO_SANITIZED_FOLDERS)
      enxerto_sanitize(${name}_tests)
    endif()
  endif()
endfunction()

# Address and undefined-behaviour sanitizers for one target of a release build. Without those checks that cost the most
# compiling and find what the address sanitizer finds too.
function(enxerto_sanitize target)
  target_compile_options(${target} PRIVATE -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined
    -fno-sanitize=null,vptr,object-size -fno-sanitize-recover=undefined)
  target_link_options(${target} PRIVATE -fsanitize=address,undefined)
endfunction()

# enxerto_test_program(NAME SOURCES ... LIBRARIES ...): a GoogleTest program known to ctest.
# DISCOVERY PRE_TEST keeps the build from running what it has just built. Threads that wait go to sleep:
# on a busy machine those that spin take the processor from those that work.
function(enxerto_test_program name)
  cmake_parse_arguments(T "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_LIBRARIES} GTest::gtest_main)
  # What a test itself computes is little, what it has to be compiled from is much.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  enxerto_warnings(${name})
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 600
    ENVIRONMENT OMP_WAIT_POLICY=passive
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

# The one library that users link: the objects of every folder.
function(enxerto_library)
  get_property(folders GLOBAL PROPERTY ENXERTO_FOLDERS)
  get_property(headers GLOBAL PROPERTY ENXERTO_HEADERS)
  get_property(libraries GLOBAL PROPERTY ENXERTO_LIBRARIES)
  list(REMOVE_DUPLICATES libraries)
  set(objects)
  foreach(folder IN LISTS folders)
    list(APPEND objects $<TARGET_OBJECTS:enxerto_${folder}>)
  endforeach()
  add_library(enxerto ${objects})
  add_library(enxerto::enxerto ALIAS enxerto)
  set_target_properties(enxerto PROPERTIES LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_compile_features(enxerto PUBLIC cxx_std_20)
  target_include_directories(enxerto PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(enxerto PUBLIC ${libraries} Threads::Threads)
  if(ENXERTO_INSTALL)
    include(${PROJECT_SOURCE_DIR}/cmake/install.cmake)
  endif()
endfunction()
