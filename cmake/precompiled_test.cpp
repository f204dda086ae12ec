// Nothing: the target fireline_test_headers needs a source to compile its precompiled header for.
