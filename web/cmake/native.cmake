# The native library, the tool `pipit` over pipit.h alone, and the C tests.
include(CheckCSourceRuns)

option(PIPIT_SANITIZE "Build with ASan and UBSan, stop at the first finding" OFF)
set(PIPIT_NATIVE_ARCH auto CACHE STRING
  "Flags for the vector kernels: auto (what this machine has), baseline (any \
machine of this architecture), or flags such as -mavx2")
find_path(PIPIT_SIMDE_INCLUDE simde/wasm/relaxed-simd.h
  DOC "Where SIMDe is: it runs the wasm kernels natively")
find_package(Threads REQUIRED)

# Only the vector kernels get these flags. `auto` asks the machine that builds,
# so a binary to be carried elsewhere wants `baseline`.
set(arch_flags ${PIPIT_NATIVE_ARCH})
if(PIPIT_NATIVE_ARCH STREQUAL "auto")
  set(arch_flags "")
  if(NOT CMAKE_CROSSCOMPILING)
    foreach(feature avx2 sse4.1)
      string(MAKE_C_IDENTIFIER "PIPIT_HOST_${feature}" result)
      check_c_source_runs(
        "int main(void) { return !__builtin_cpu_supports(\"${feature}\"); }"
        ${result})
      if(${result})
        set(arch_flags -m${feature})
        break()
      endif()
    endforeach()
  endif()
elseif(PIPIT_NATIVE_ARCH STREQUAL "baseline")
  set(arch_flags "")
endif()
separate_arguments(arch_flags)

add_library(pipit STATIC
  ${pipit_sources} ${pipit_native_sources} ${pipit_scalar_sources})
target_include_directories(pipit PUBLIC ${src})
target_compile_options(pipit PRIVATE ${pipit_flags})
target_link_libraries(pipit PUBLIC Threads::Threads)
set_target_properties(pipit PROPERTIES POSITION_INDEPENDENT_CODE ON)

set(pipit_definitions "")
if(PIPIT_SIMDE_INCLUDE)
  set(pipit_definitions PIPIT_SIMDE=1 PIPIT_HAVE_SIMD128=1 PIPIT_HAVE_RELAXED=1)
  set(vector_sources ${pipit_simd128_sources} ${pipit_relaxed_sources})
  target_sources(pipit PRIVATE ${vector_sources})
  set_source_files_properties(${vector_sources} PROPERTIES
    COMPILE_OPTIONS "${arch_flags};-isystem;${PIPIT_SIMDE_INCLUDE}")
  message(STATUS "Pipit: vector kernels through SIMDe, flags '${arch_flags}'")
else()
  message(STATUS "Pipit: no SIMDe (libsimde-dev): scalar kernels only")
endif()
target_compile_definitions(pipit PRIVATE ${pipit_definitions})

if(PIPIT_SANITIZE)
  set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g)
  target_compile_options(pipit PUBLIC ${sanitize})
  target_link_options(pipit PUBLIC ${sanitize})
  target_compile_definitions(pipit PUBLIC PIPIT_SANITIZE=1)
endif()

if(pipit_tool_sources)
  add_executable(pipit-tool ${pipit_tool_sources})
  set_target_properties(pipit-tool PROPERTIES OUTPUT_NAME pipit)
  target_compile_options(pipit-tool PRIVATE ${pipit_flags})
  target_link_libraries(pipit-tool PRIVATE pipit)
  install(TARGETS pipit-tool)
endif()
install(TARGETS pipit ARCHIVE)
install(FILES ${src}/pipit.h TYPE INCLUDE)

if(top_level)
  include(CTest)
  if(BUILD_TESTING)
    include(${CMAKE_CURRENT_LIST_DIR}/tests.cmake)
  endif()
endif()
