# Everything of others that the library stands on, from the distribution's packages.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(dnnl REQUIRED)  # 2.2 or newer; libdnnl-dev
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(GIF 5.1 REQUIRED)  # libgif-dev
find_package(TIFF REQUIRED)  # libtiff-dev
find_package(ZLIB REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(CURL 7.81 REQUIRED)  # libcurl4-openssl-dev
find_package(OpenSSL REQUIRED COMPONENTS Crypto)  # 1.1.1 or newer; libssl-dev
find_package(Protobuf REQUIRED)  # libprotobuf-lite, and to build protoc

# libzip's own CMake files insist on three commands that Debian has in other packages, so it is found by hand.
if(NOT TARGET enxerto_outside::zip)
  find_path(ENXERTO_LIBZIP_INCLUDE zip.h REQUIRED)  # libzip-dev
  find_library(ENXERTO_LIBZIP zip REQUIRED)
  mark_as_advanced(ENXERTO_LIBZIP_INCLUDE ENXERTO_LIBZIP)
  add_library(enxerto_outside::zip UNKNOWN IMPORTED)
  set_target_properties(enxerto_outside::zip PROPERTIES IMPORTED_LOCATION ${ENXERTO_LIBZIP}
    INTERFACE_INCLUDE_DIRECTORIES ${ENXERTO_LIBZIP_INCLUDE})
endif()

# HDF5's C library, the serial one; CMake's own finder wants the compiler wrappers of another package.
if(NOT TARGET enxerto_outside::hdf5)
  find_path(ENXERTO_HDF5_INCLUDE hdf5.h PATH_SUFFIXES hdf5/serial REQUIRED)  # libhdf5-dev
  find_library(ENXERTO_HDF5 NAMES hdf5_serial hdf5 PATH_SUFFIXES hdf5/serial REQUIRED)
  mark_as_advanced(ENXERTO_HDF5_INCLUDE ENXERTO_HDF5)
  add_library(enxerto_outside::hdf5 UNKNOWN IMPORTED)
  set_target_properties(enxerto_outside::hdf5 PROPERTIES IMPORTED_LOCATION ${ENXERTO_HDF5}
    INTERFACE_INCLUDE_DIRECTORIES ${ENXERTO_HDF5_INCLUDE})
endif()

# OpenBLAS, with LAPACK in it. The build that shares our threads, OpenMP's, where the distribution has several.
if(NOT TARGET enxerto_outside::openblas)
  find_path(ENXERTO_OPENBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas-openmp openblas REQUIRED)
  find_library(ENXERTO_OPENBLAS openblas PATH_SUFFIXES openblas-openmp REQUIRED)  # libopenblas-openmp-dev
  mark_as_advanced(ENXERTO_OPENBLAS_INCLUDE ENXERTO_OPENBLAS)
  add_library(enxerto_outside::openblas UNKNOWN IMPORTED)
  set_target_properties(enxerto_outside::openblas PROPERTIES IMPORTED_LOCATION ${ENXERTO_OPENBLAS}
    INTERFACE_INCLUDE_DIRECTORIES ${ENXERTO_OPENBLAS_INCLUDE})
endif()

# libwebp's own CMake files come with some of the distributions only.
foreach(library webp webpdemux)
  if(NOT TARGET enxerto_outside::${library})
    find_path(ENXERTO_WEBP_INCLUDE webp/demux.h REQUIRED)  # libwebp-dev
    find_library(ENXERTO_LIB_${library} ${library} REQUIRED)
    mark_as_advanced(ENXERTO_WEBP_INCLUDE ENXERTO_LIB_${library})
    add_library(enxerto_outside::${library} UNKNOWN IMPORTED)
    set_target_properties(enxerto_outside::${library} PROPERTIES
      IMPORTED_LOCATION ${ENXERTO_LIB_${library}} INTERFACE_INCLUDE_DIRECTORIES ${ENXERTO_WEBP_INCLUDE})
  endif()
endforeach()

# HEIF and AVIF are read where libheif is there, and ENXERTO_HEIF is not OFF.
if(NOT TARGET enxerto_outside::heif AND (NOT DEFINED ENXERTO_HEIF OR ENXERTO_HEIF))
  find_path(ENXERTO_HEIF_INCLUDE libheif/heif.h)  # libheif-dev
  find_library(ENXERTO_LIBHEIF heif)
  mark_as_advanced(ENXERTO_HEIF_INCLUDE ENXERTO_LIBHEIF)
  if(ENXERTO_HEIF_INCLUDE AND ENXERTO_LIBHEIF)
    add_library(enxerto_outside::heif UNKNOWN IMPORTED)
    set_target_properties(enxerto_outside::heif PROPERTIES IMPORTED_LOCATION ${ENXERTO_LIBHEIF}
      INTERFACE_INCLUDE_DIRECTORIES ${ENXERTO_HEIF_INCLUDE})
  endif()
endif()
