# Helpers that keep the folders' CMakeLists.txt to one line per target.
# A folder is a target: every *.cpp in it belongs to it, so that a new file needs no edit here.

set(FIRELINE_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Wnull-dereference -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough)

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

# fireline_test(NAME LABEL [libraries…]): a GoogleTest program of every *.cpp in the current folder; each test is one
# ctest entry with that label.
function(fireline_test name label)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE fireline_options ${ARGN} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE FIRELINE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  # One ctest entry per program: starting a process for each of a thousand cases would cost more than the cases.
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 300)
endfunction()
