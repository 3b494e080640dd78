# Nine modules from the same sources, and a tenth. No JavaScript of Emscripten's is used: its
# clang compiles, wasm-ld links, and the only import of a module is env.memory.
#
#   pipit-scalar       no vector instructions; for tests
#   pipit-simd128      one thread          pipit-simd128-mt   shared memory
#   pipit-relaxed      one thread          pipit-relaxed-mt   shared memory
#
# and the last four again as pipit-train-…, which also export what trains;
# beside them pipit-sha256, of the store of pages.
option(PIPIT_WASM_NAMES "Keep function names, for profilers" OFF)

set(wasm_cmake ${CMAKE_CURRENT_LIST_DIR})
file(GLOB pipit_web_sources CONFIGURE_DEPENDS
  ${CMAKE_CURRENT_SOURCE_DIR}/web/*.c)
set(pipit_train_exports ${CMAKE_CURRENT_SOURCE_DIR}/web/exports_train.c)
set(pipit_sha256_source ${CMAKE_CURRENT_SOURCE_DIR}/web/sha256.c)
list(REMOVE_ITEM pipit_web_sources
  ${pipit_train_exports} ${pipit_sha256_source})

# Emscripten knows where its parts are.
function(em_config key out)
  execute_process(COMMAND ${EMSCRIPTEN_ROOT_PATH}/em-config ${key}
    OUTPUT_VARIABLE value OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${out} "${value}" PARENT_SCOPE)
endfunction()
em_config(LLVM_ROOT llvm_root)
em_config(BINARYEN_ROOT binaryen_root)
em_config(CACHE em_cache)
get_filename_component(emcc_dir ${CMAKE_C_COMPILER} DIRECTORY)

# Emscripten's toolchain file confines find_program to its sysroot.
set(places ${llvm_root} ${binaryen_root}/bin ${emcc_dir} ${emcc_dir}/../bin)
find_program(PIPIT_WASM_LD NAMES wasm-ld wasm-ld-19 wasm-ld-20 wasm-ld-21
  HINTS ${places} NO_CMAKE_FIND_ROOT_PATH REQUIRED)
find_program(PIPIT_WASM_OPT NAMES wasm-opt
  HINTS ${places} NO_CMAKE_FIND_ROOT_PATH REQUIRED)
find_program(PIPIT_NODE NAMES node nodejs
  HINTS ${emcc_dir}/../../node/bin NO_CMAKE_FIND_ROOT_PATH REQUIRED)
find_path(PIPIT_WASM_LIBS libc.a
  HINTS ${em_cache}/sysroot/lib/wasm32-emscripten
  ${EMSCRIPTEN_ROOT_PATH}/cache/sysroot/lib/wasm32-emscripten
  NO_CMAKE_FIND_ROOT_PATH)
if(NOT PIPIT_WASM_LIBS OR NOT EXISTS ${PIPIT_WASM_LIBS}/libc-mt.a)
  # An emsdk builds what it was not shipped with at its first use.
  execute_process(COMMAND_ERROR_IS_FATAL ANY COMMAND
    ${EMSCRIPTEN_ROOT_PATH}/embuilder build
    libc libc-mt libcompiler_rt libcompiler_rt-mt)
  find_path(PIPIT_WASM_LIBS libc.a
    HINTS ${em_cache}/sysroot/lib/wasm32-emscripten
    NO_CMAKE_FIND_ROOT_PATH REQUIRED)
endif()

# The engine copies with memory.copy and memory.fill; without them libc's
# memcpy would ask JavaScript for help.
set(wasm_flags ${pipit_flags} -mbulk-memory)
set(link_flags
  --no-entry
  --import-memory              # the loader decides how much, and shares it
  --initial-memory=2097152     # stack and tables; must hold them: wasm-ld checks
  --max-memory=4294967296
  -z stack-size=262144
  --stack-first                # an overflow traps instead of eating data
  --export=__heap_base         # from here on memory is the engine's
  --gc-sections -O3)
set(thread_link_flags
  --shared-memory
  --export=__stack_pointer     # what the loader sets up for each thread
  --export=__wasm_init_tls --export=__tls_size --export=__tls_align)
set(opt_flags -O3 --low-memory-unused --one-caller-inline-max-function-size=60 --enable-bulk-memory --enable-sign-ext
  --enable-mutable-globals --enable-nontrapping-float-to-int)
if(PIPIT_WASM_NAMES)
  list(APPEND opt_flags -g)
else()
  list(APPEND link_flags --strip-debug)
endif()

set(wasm_outputs "")
# Links <name>.wasm from those object libraries.
function(link_module name)
  cmake_parse_arguments(PARSE_ARGV 1 l "" "" "OBJECTS;LINK;OPT")
  set(objects "")
  foreach(library ${l_OBJECTS})
    list(APPEND objects $<TARGET_OBJECTS:${library}>)
  endforeach()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}.wasm)
  set(linked ${CMAKE_CURRENT_BINARY_DIR}/${name}.linked.wasm)
  add_custom_command(OUTPUT ${out}
    COMMAND ${PIPIT_WASM_LD} -o ${linked} ${objects} ${link_flags} ${l_LINK}
    COMMAND ${PIPIT_NODE} ${wasm_cmake}/check-imports.mjs ${linked}
    COMMAND ${PIPIT_WASM_OPT} ${opt_flags} ${l_OPT} ${linked} -o ${out}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${linked}
    DEPENDS ${l_OBJECTS} ${objects} ${wasm_cmake}/check-imports.mjs
    COMMENT "Linking ${name}.wasm"
    COMMAND_EXPAND_LISTS VERBATIM)
  set(wasm_outputs ${wasm_outputs} ${out} PARENT_SCOPE)
endfunction()

# TRAIN: links the module that trains too.
function(add_module name)
  cmake_parse_arguments(PARSE_ARGV 1 m "THREADS;TRAIN" ""
    "SOURCES;FLAGS;DEFINITIONS;OPT")
  set(libs -lc -lcompiler_rt)
  if(m_THREADS)
    set(libs -lc-mt -lcompiler_rt-mt)
    set(threads ${thread_link_flags})
    list(APPEND m_FLAGS -matomics)
    list(APPEND m_DEFINITIONS PIPIT_WASM_THREADS=1)
    list(APPEND m_OPT --enable-threads)
  endif()
  set(link LINK ${threads} -L${PIPIT_WASM_LIBS} ${libs} OPT ${m_OPT})
  add_library(${name}-objects OBJECT ${pipit_sources} ${pipit_web_sources}
    ${pipit_scalar_sources} ${m_SOURCES})
  add_library(${name}-train-objects OBJECT ${pipit_train_exports})
  foreach(library ${name}-objects ${name}-train-objects)
    target_include_directories(${library} PRIVATE ${src})
    target_compile_options(${library} PRIVATE ${wasm_flags} ${m_FLAGS})
    target_compile_definitions(${library} PRIVATE
      PIPIT_WASM=1 ${m_DEFINITIONS})
  endforeach()
  link_module(${name} OBJECTS ${name}-objects ${link})
  if(m_TRAIN)
    string(REPLACE "pipit-" "pipit-train-" train_name ${name})
    link_module(${train_name}
      OBJECTS ${name}-objects ${name}-train-objects ${link})
  endif()
  set(wasm_outputs ${wasm_outputs} PARENT_SCOPE)
endfunction()

# A page of memory of its own, and nothing of the engine's.
function(add_sha256_module)
  set(link_flags
    --no-entry --gc-sections -O3 --strip-all
    -z stack-size=4096 --initial-memory=65536 --max-memory=65536 --stack-first)
  add_library(pipit-sha256-objects OBJECT ${pipit_sha256_source})
  target_compile_options(pipit-sha256-objects PRIVATE ${wasm_flags} -msimd128)
  link_module(pipit-sha256 OBJECTS pipit-sha256-objects OPT --enable-simd)
  set(wasm_outputs ${wasm_outputs} PARENT_SCOPE)
endfunction()

set(simd128
  FLAGS -msimd128
  SOURCES ${pipit_simd128_sources}
  DEFINITIONS PIPIT_HAVE_SIMD128=1
  OPT --enable-simd)
set(relaxed
  FLAGS -msimd128 -mrelaxed-simd
  SOURCES ${pipit_simd128_sources} ${pipit_relaxed_sources}
  DEFINITIONS PIPIT_HAVE_SIMD128=1 PIPIT_HAVE_RELAXED=1
  OPT --enable-simd --enable-relaxed-simd)

# What runs once for a file, not for each token or byte, is compiled small.
set(pipit_small_sources ${pipit_sources})
list(FILTER pipit_small_sources EXCLUDE REGEX
  "(forward|stage|attention|kv_q8|shortconv|mixture|mathf|sampler|rope|threads|loader|adamw|train_(attention|product|row))\\.c$")
set_source_files_properties(${pipit_small_sources} ${pipit_web_sources}
  PROPERTIES COMPILE_OPTIONS "-Oz")

# LLVM's own order of instructions finishes one sum of a tile after the other and
# spills the rest; the kernels are written in the order that fits the registers.
set_source_files_properties(${pipit_simd128_sources} ${pipit_relaxed_sources}
  PROPERTIES COMPILE_OPTIONS "-mllvm;-pre-RA-sched=source")

if(pipit_web_sources)
  add_module(pipit-scalar DEFINITIONS PIPIT_STEP_MACS=10000)
  add_module(pipit-simd128 ${simd128} TRAIN)
  add_module(pipit-simd128-mt ${simd128} THREADS TRAIN)
  add_module(pipit-relaxed ${relaxed} TRAIN)
  add_module(pipit-relaxed-mt ${relaxed} THREADS TRAIN)
  add_sha256_module()
  add_custom_target(modules ALL DEPENDS ${wasm_outputs})
  include(tests/kernels/wasm.cmake)
else()
  message(FATAL_ERROR "web/*.c, the modules' exports, are missing")
endif()
