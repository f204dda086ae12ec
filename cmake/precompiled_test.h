// Precompiled once for all test programs (fireline_test in cmake/fireline.cmake). Each source still includes what it
// uses; the preset debug compiles without this header.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
