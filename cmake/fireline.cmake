# Helpers that keep the folders' CMakeLists.txt to one line per target.
# A folder is a target: every *.cpp in it belongs to it, so that a new file needs no edit here.

set(FIRELINE_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough)

add_library(fireline_options INTERFACE)
target_include_directories(fireline_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_options(fireline_options INTERFACE ${FIRELINE_WARNINGS} $<$<BOOL:${FIRELINE_WERROR}>:-Werror>)
target_compile_definitions(fireline_options INTERFACE FIRELINE_VERSION="${PROJECT_VERSION}")
if(FIRELINE_SANITIZE)
  target_compile_options(fireline_options INTERFACE -fsanitize=${FIRELINE_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(fireline_options INTERFACE -fsanitize=${FIRELINE_SANITIZE})
endif()

# Link-time optimisation where the preset asks for it: programs only link once, tests do without.
if(FIRELINE_LTO)
  include(CheckIPOSupported)
  check_ipo_supported()
endif()

# Precompiled headers and compiler caches: what ccache must overlook so that it still finds its entries.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
else()
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
endif()

# Code that runs in tests alone is not worth the optimiser's time: two thirds of the compiler's work in sanitizer trees, a
# third in release. The tests below are the exception: at -O0 they compute longer than their compiler saves.
set(FIRELINE_COLD_CODE $<$<COMPILE_LANGUAGE:CXX>:-O0>)
set(FIRELINE_OPTIMISED_TESTS unit_core_crypto unit_core_packet)

# fireline_text(TARGET): for libraries that log or format text.
add_library(fireline_formatter STATIC ${CMAKE_SOURCE_DIR}/cmake/precompiled_text.cpp)
target_link_libraries(fireline_formatter PRIVATE fireline_options spdlog::spdlog)
function(fireline_text target)
  target_link_libraries(${target} PUBLIC fireline_formatter)
  target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled_text.h)
endfunction()

# fireline_cold(TARGET): for libraries of which sanitizer trees run little more than parsers of small texts.
function(fireline_cold target)
  if(FIRELINE_SANITIZE AND NOT FIRELINE_FUZZ)
    target_compile_options(${target} PRIVATE ${FIRELINE_COLD_CODE})
  endif()
endfunction()

# fireline_library(NAME [libraries…]): a static library of every *.cpp in the current folder.
function(fireline_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC fireline_options ${ARGN})
    if(FIRELINE_LTO)
      # Fat objects: programs link them with LTO, tests as ordinary code.
      target_compile_options(${name} PRIVATE -flto=auto -ffat-lto-objects)
    endif()
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE fireline_options ${ARGN})
  endif()
endfunction()

# fireline_program(NAME [libraries…]): a program of every *.cpp in the current folder.
function(fireline_program name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE fireline_options ${ARGN})
  if(FIRELINE_LTO)
    target_compile_options(${name} PRIVATE -flto=auto -ffat-lto-objects)
    target_link_options(${name} PRIVATE -flto=auto -O2)
  endif()
endfunction()

# fireline_test(NAME LABEL [libraries…]): a GoogleTest program of every *.cpp in the current folder, and its ctest entry.
# Sanitizer trees named in FIRELINE_SANITIZED_TREES (asan=FOLDER;tsan=FOLDER, as tools/test sets it) add one entry each,
# which runs the same program as built there, so that one ctest run holds all of them.
add_custom_target(fireline_tests)
function(fireline_test_options target)  # what precompiled header and programs have to have alike
  target_link_libraries(${target} PRIVATE fireline_options GTest::gmock GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE FIRELINE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
endfunction()
function(fireline_test name label)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARGN})
  fireline_test_options(${name})
  if(NOT name IN_LIST FIRELINE_OPTIMISED_TESTS)
    # One precompiled header for all of them: it holds for one set of options alone.
    if(NOT TARGET fireline_test_headers)
      add_library(fireline_test_headers OBJECT ${CMAKE_SOURCE_DIR}/cmake/precompiled_test.cpp)
      fireline_test_options(fireline_test_headers)
      target_compile_options(fireline_test_headers PRIVATE ${FIRELINE_COLD_CODE})
      target_precompile_headers(fireline_test_headers PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled_test.h)
    endif()
    target_compile_options(${name} PRIVATE ${FIRELINE_COLD_CODE})
    target_precompile_headers(${name} REUSE_FROM fireline_test_headers)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  # One ctest entry per program: starting a process for each of a thousand cases would cost more than the cases.
  fireline_test_entries(${name} ${label})
endfunction()

# fireline_test_entries(TARGET LABEL [arguments…]): the ctest entries of a program that lies in the tree's tests/ folder.
function(fireline_test_entries name label)
  add_dependencies(fireline_tests ${name})
  add_test(NAME ${name} COMMAND ${name} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 300)
  foreach(tree ${FIRELINE_SANITIZED_TREES})
    string(REGEX MATCH "^([a-z]+)=(.+)$" _ ${tree})
    set(entry ${CMAKE_MATCH_1}_${name})
    add_test(NAME ${entry} COMMAND ${CMAKE_MATCH_2}/tests/${name} ${ARGN})
    set_tests_properties(${entry} PROPERTIES LABELS ${CMAKE_MATCH_1} SKIP_RETURN_CODE 77 TIMEOUT 600)
    set_tests_properties(${entry} PROPERTIES ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=halt_on_error=1:suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.suppressions")
  endforeach()
endfunction()
