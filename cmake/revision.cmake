# Writes FILE, the source of tools/bench/revision.h with the commit that SOURCE is at, when it changed: run at each build,
# for a build folder lives through many commits.
execute_process(COMMAND git describe --always --dirty --abbrev=12 --exclude=* WORKING_DIRECTORY ${SOURCE}
                OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT revision)
  set(revision unknown)
endif()
file(CONFIGURE OUTPUT ${FILE} CONTENT "#include \"tools/bench/revision.h\"\nconst char* const fireline::bench::kRevision = \"${revision}\";\n")
