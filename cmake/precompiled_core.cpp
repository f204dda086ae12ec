// Nothing: the target fireline_precompiled_core needs a source to compile its precompiled header for.
