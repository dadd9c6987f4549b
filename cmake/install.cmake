# Install and export, so that find_package(enxerto) works. Included by enxerto_library().
include(CMakePackageConfigHelpers)
install(TARGETS enxerto EXPORT enxerto_targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(header IN LISTS headers)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/enxerto/${header}
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/enxerto/${folder})
endforeach()
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/enxerto)
install(EXPORT enxerto_targets NAMESPACE enxerto:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/enxerto-config.cmake.in
  ${PROJECT_BINARY_DIR}/enxerto-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/enxerto-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/enxerto-config.cmake
  ${PROJECT_BINARY_DIR}/enxerto-config-version.cmake DESTINATION ${package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/cmake/dependencies.cmake DESTINATION ${package_dir})
