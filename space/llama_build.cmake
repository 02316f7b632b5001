# Included by llama-cpp-python's build (`make` passes it): leaves out what the Python package never loads, and compiles
# llama.cpp's two hundred small sources in groups. 2 min 20 s on two cores.
# A normal variable hides the cache entry that the package forces ON (CMake policy CMP0126).
set(LLAMA_BUILD_COMMON OFF)
cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}"
               CALL set_target_properties llama PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
