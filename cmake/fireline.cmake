# Helpers that keep the folders' CMakeLists.txt to one line per target.
# A folder is a target: every *.cpp in it belongs to it, so that a new file needs no edit here.

set(FIRELINE_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough)
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # clang reports what libstdc++ 12's own stable_sort calls; g++ still reports our calls of anything deprecated.
  list(APPEND FIRELINE_WARNINGS -Wno-deprecated-declarations)
elseif(FIRELINE_UNITY)
  # g++ takes a source that another one includes for a header, whose classes must not have members of unnamed namespaces.
  list(APPEND FIRELINE_WARNINGS -Wno-subobject-linkage)
endif()

add_library(fireline_options INTERFACE)
target_include_directories(fireline_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_options(fireline_options INTERFACE ${FIRELINE_WARNINGS} $<$<BOOL:${FIRELINE_WERROR}>:-Werror>)
target_compile_definitions(fireline_options INTERFACE FIRELINE_VERSION="${PROJECT_VERSION}")
if(FIRELINE_SANITIZE)
  target_compile_options(fireline_options INTERFACE -fsanitize=${FIRELINE_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  # lld takes a quarter of the time.
  target_link_options(fireline_options INTERFACE -fsanitize=${FIRELINE_SANITIZE} -fuse-ld=lld)
endif()

# Link-time optimisation where the preset asks for it, for the data plane's programs alone. Whatever else links their
# objects must say no: the linker's plugin optimises them unasked.
if(FIRELINE_LTO)
  include(CheckIPOSupported)
  check_ipo_supported()
  add_link_options($<$<NOT:$<BOOL:$<TARGET_PROPERTY:FIRELINE_LTO_PROGRAM>>>:-fno-lto>)
endif()
function(fireline_lto_library target)  # fat objects: programs link them with LTO, tests as ordinary code
  if(FIRELINE_LTO)
    target_compile_options(${target} PRIVATE -flto=auto -ffat-lto-objects)
  endif()
endfunction()
function(fireline_lto_program target)
  if(FIRELINE_LTO)
    set_target_properties(${target} PROPERTIES FIRELINE_LTO_PROGRAM ON)
    target_link_options(${target} PRIVATE -flto=auto -O2)
  endif()
endfunction()

# Precompiled headers and compiler caches: what ccache must overlook so that it still finds its entries.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
else()
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
endif()

# Code that runs in tests alone is not worth the optimiser's time: two thirds of the compiler's work in sanitizer trees, a
# third in release. fireline_optimised(SOURCE…) is the exception: tests that at -O0 compute longer than their compiler saves.
set(FIRELINE_COLD_CODE $<$<COMPILE_LANGUAGE:CXX>:-O0>)
function(fireline_optimised)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -O1 SKIP_PRECOMPILE_HEADERS ON)
endfunction()

# fireline_pch(NAME [libraries…]): the precompiled header cmake/NAME.h, once for all targets with the same options.
function(fireline_pch name)
  add_library(fireline_${name} STATIC ${CMAKE_SOURCE_DIR}/cmake/${name}.cpp)
  target_link_libraries(fireline_${name} PRIVATE fireline_options ${ARGN})
  target_precompile_headers(fireline_${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/${name}.h)
endfunction()
fireline_pch(precompiled_core)
fireline_pch(precompiled_text spdlog::spdlog)

# fireline_text(TARGET): for libraries that log or format text.
function(fireline_text target)
  target_link_libraries(${target} PUBLIC fireline_precompiled_text)
  target_precompile_headers(${target} REUSE_FROM fireline_precompiled_text)
endfunction()

# fireline_cold(SOURCE…): sources that run once, or in tests alone, and on whose templates (JSON, command lines) the optimiser
# works for seconds. Precompiled headers are of the other sources' optimisation.
function(fireline_cold)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -O0 SKIP_PRECOMPILE_HEADERS ON)
endfunction()
# fireline_cold_joined(TARGET NAME SOURCE…): cold sources with the same heavy headers, compiled as one: those are read once.
function(fireline_cold_joined target name)
  if(CMAKE_DISABLE_PRECOMPILE_HEADERS)  # who looks for missing includes, or at each source
    fireline_cold(${ARGN})
    return()
  endif()
  list(TRANSFORM ARGN REPLACE "(.+)" "#include \"${CMAKE_CURRENT_SOURCE_DIR}/\\1\"\n" OUTPUT_VARIABLE lines)
  string(CONCAT text ${lines})
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp CONTENT "${text}" @ONLY)
  set_source_files_properties(${ARGN} PROPERTIES HEADER_FILE_ONLY ON)
  target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  fireline_cold(${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
endfunction()
function(fireline_cold_if_sanitized)  # clang's work with the sanitizers is halved
  if(FIRELINE_SANITIZE AND NOT FIRELINE_FUZZ)
    fireline_cold(${ARGN})
  endif()
endfunction()

# fireline_joined(TARGET): with FIRELINE_UNITY several sources of a library are compiled as one, which halves the work: most of
# it is headers and the same templates again. Names in unnamed namespaces meet there; fireline_alone(SOURCE…) keeps sources
# out that have such a name in common with a neighbour. Sources with options of their own are kept out by CMake.
function(fireline_joined target)
  if(FIRELINE_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()
function(fireline_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# fireline_library(NAME [TEXT] [SELDOM] [libraries…]): a static library of every *.cpp in the current folder; TEXT: it formats
# text; SELDOM: no packet waits for its code, so that it is left out of link-time optimisation.
function(fireline_library name)
  cmake_parse_arguments(PARSE_ARGV 1 option "TEXT;SELDOM" "" "")
  set(libraries ${option_UNPARSED_ARGUMENTS})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC fireline_options ${libraries})
    if(NOT option_SELDOM AND NOT CMAKE_CURRENT_SOURCE_DIR MATCHES "^${CMAKE_SOURCE_DIR}/tests/")
      fireline_lto_library(${name})
    endif()
    if(option_TEXT)
      fireline_text(${name})
    else()
      target_precompile_headers(${name} REUSE_FROM fireline_precompiled_core)
    endif()
    fireline_joined(${name})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE fireline_options ${libraries})
  endif()
endfunction()

# fireline_program(NAME [libraries…]): a small program of every *.cpp in the current folder, as tests and labs need.
function(fireline_program name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE fireline_options ${ARGN})
endfunction()

# fireline_tool(TOOL [libraries…]): the program fireline-TOOL of the current folder. Everything but main.cpp is the library
# fireline_TOOL_tool, so that tests can link it.
function(fireline_tool tool)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  add_library(fireline_${tool}_tool STATIC ${sources})
  target_link_libraries(fireline_${tool}_tool PUBLIC fireline_options fireline_io fireline_platform_linux
                        fireline_tool_common spdlog::spdlog CLI11::CLI11 nlohmann_json::nlohmann_json ${ARGN})
  fireline_text(fireline_${tool}_tool)
  fireline_joined(fireline_${tool}_tool)
  add_executable(fireline-${tool} main.cpp)
  target_link_libraries(fireline-${tool} PRIVATE fireline_${tool}_tool)
endfunction()
function(fireline_lto_tool tool)
  fireline_lto_library(fireline_${tool}_tool)
  fireline_lto_program(fireline-${tool})
endfunction()

# fireline_test(NAME LABEL [UNSHIPPED] [libraries…]): a GoogleTest program of every *.cpp in the current folder, and its ctest
# entry. UNSHIPPED: of a lab's or a benchmark's tool, which sanitizer trees need not compile.
# Sanitizer trees named in FIRELINE_SANITIZED_TREES (asan=FOLDER;tsan=FOLDER, as tools/test sets it) add one entry each,
# which runs the same program as built there, so that one ctest run holds all of them.
add_custom_target(fireline_tests)
function(fireline_test_options target)  # what precompiled header and programs have to have alike
  target_link_libraries(${target} PRIVATE fireline_options GTest::gmock)
  target_compile_definitions(${target} PRIVATE FIRELINE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_compile_options(${target} PRIVATE ${FIRELINE_COLD_CODE})
endfunction()
# fireline_test_code(TARGET): unoptimised, with one precompiled header for all of them.
function(fireline_test_code target)
  if(NOT TARGET fireline_test_headers)
    add_library(fireline_test_headers OBJECT ${CMAKE_SOURCE_DIR}/cmake/precompiled_test.cpp)
    fireline_test_options(fireline_test_headers)
    target_precompile_headers(fireline_test_headers PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled_test.h)
  endif()
  fireline_test_options(${target})
  target_precompile_headers(${target} REUSE_FROM fireline_test_headers)
endfunction()
function(fireline_test name label)
  cmake_parse_arguments(PARSE_ARGV 2 option UNSHIPPED "" "")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${option_UNPARSED_ARGUMENTS} GTest::gtest_main)
  fireline_test_code(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests
                        UNITY_BUILD ${FIRELINE_UNITY} UNITY_BUILD_MODE GROUP)
  # One ctest entry per program: starting a process for each of a thousand cases would cost more than the cases.
  if(option_UNSHIPPED)
    fireline_test_entry(${name} ${label})
  else()
    fireline_test_entries(${name} ${label})
  endif()
endfunction()

# fireline_joined_tests(SOURCE…): tests that have no name in common, compiled as one with FIRELINE_UNITY: the templates of
# containers and matchers are most of the work, and each source by itself has them all again.
function(fireline_joined_tests first)
  string(REPLACE ".cpp" "" group ${first})
  set_source_files_properties(${ARGV} PROPERTIES UNITY_GROUP ${group})
endfunction()

# fireline_test_entries(TARGET LABEL [arguments…]): the ctest entries of a program that lies in the tree's tests/ folder.
function(fireline_test_entry name label)
  add_test(NAME ${name} COMMAND ${name} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 900)
endfunction()
function(fireline_test_entries name label)
  add_dependencies(fireline_tests ${name})
  fireline_test_entry(${name} ${label} ${ARGN})
  foreach(tree ${FIRELINE_SANITIZED_TREES})
    string(REGEX MATCH "^([a-z]+)=(.+)$" _ ${tree})
    set(entry ${CMAKE_MATCH_1}_${name})
    add_test(NAME ${entry} COMMAND ${CMAKE_MATCH_2}/tests/${name} ${ARGN})
    set_tests_properties(${entry} PROPERTIES LABELS ${CMAKE_MATCH_1} SKIP_RETURN_CODE 77 TIMEOUT 1800 COST 300)
    set_tests_properties(${entry} PROPERTIES ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=halt_on_error=1:suppressions='${CMAKE_SOURCE_DIR}/tests/tsan.suppressions'")
  endforeach()
endfunction()
