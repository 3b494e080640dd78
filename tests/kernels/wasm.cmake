# kernels-{scalar,simd128,relaxed}.wasm: an engine's objects with the kernels'
# hashes (tests/wasm/kernels.test.mjs) and bench (tests/bench/kernels.mjs).
set(kernel_tests ${CMAKE_CURRENT_LIST_DIR})
# Their arrays are larger than what an engine starts with.
set(kernel_link_flags ${link_flags})
list(FILTER kernel_link_flags EXCLUDE REGEX "initial-memory")
list(APPEND kernel_link_flags --initial-memory=67108864)

set(kernel_outputs "")
function(add_kernel_module kind)
  cmake_parse_arguments(PARSE_ARGV 1 m "" "" "SOURCES;FLAGS;DEFINITIONS;OPT")
  set(name kernels-${kind})
  add_library(${name}-objects OBJECT
    ${kernel_tests}/hashes.c ${kernel_tests}/../bench/kernels.c)
  target_include_directories(${name}-objects PRIVATE ${src})
  target_compile_options(${name}-objects PRIVATE ${wasm_flags} ${m_FLAGS})
  target_compile_definitions(${name}-objects PRIVATE
    PIPIT_WASM=1 ${m_DEFINITIONS})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}.wasm)
  add_custom_command(OUTPUT ${out}
    COMMAND ${PIPIT_WASM_LD} -o ${out}.linked
      $<TARGET_OBJECTS:${name}-objects> $<TARGET_OBJECTS:pipit-${kind}-objects>
      ${kernel_link_flags} -L${PIPIT_WASM_LIBS} -lc -lcompiler_rt
    COMMAND ${PIPIT_WASM_OPT} ${opt_flags} ${m_OPT} ${out}.linked -o ${out}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${out}.linked
    DEPENDS ${name}-objects pipit-${kind}-objects
      $<TARGET_OBJECTS:${name}-objects>
      $<TARGET_OBJECTS:pipit-${kind}-objects>
    COMMENT "Linking ${name}.wasm"
    COMMAND_EXPAND_LISTS VERBATIM)
  set(kernel_outputs ${kernel_outputs} ${out} PARENT_SCOPE)
endfunction()

add_kernel_module(scalar)
add_kernel_module(simd128 ${simd128})
add_kernel_module(relaxed ${relaxed})
add_custom_target(kernel-modules ALL DEPENDS ${kernel_outputs})
