# One executable and one ctest for each tests/{unit,kernels,golden}/test_*.c;
# the other C files of those folders are helpers that all tests of the folder
# share. A test that exits with 77 was skipped.
set(tests ${CMAKE_CURRENT_SOURCE_DIR}/tests)

foreach(suite unit kernels golden)
  file(GLOB helpers CONFIGURE_DEPENDS
    ${tests}/support/*.c ${tests}/${suite}/*.c)
  file(GLOB mains CONFIGURE_DEPENDS ${tests}/${suite}/test_*.c)
  list(REMOVE_ITEM helpers ${mains} "")
  foreach(main ${mains})
    get_filename_component(name ${main} NAME_WE)
    set(target ${suite}-${name})
    add_executable(${target} ${main} ${helpers})
    target_include_directories(${target} PRIVATE
      ${tests}/support ${tests}/${suite} ${src}/kernels)
    target_compile_options(${target} PRIVATE ${pipit_flags})
    target_compile_definitions(${target} PRIVATE ${pipit_definitions}
      PIPIT_SHARED_DIR="${CMAKE_CURRENT_SOURCE_DIR}/../shared")
    target_link_libraries(${target} PRIVATE pipit m)
    string(REGEX REPLACE "^test_" "" short ${name})
    add_test(NAME ${suite}/${short} COMMAND ${target}
      WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    set_tests_properties(${suite}/${short} PROPERTIES
      SKIP_RETURN_CODE 77 TIMEOUT 600 LABELS ${suite})
  endforeach()
endforeach()

# The kernels' speed: cmake --build build/native --target bench-kernels
add_executable(bench-kernels EXCLUDE_FROM_ALL ${tests}/bench/kernels.c)
target_compile_options(bench-kernels PRIVATE ${pipit_flags})
target_link_libraries(bench-kernels PRIVATE pipit)
