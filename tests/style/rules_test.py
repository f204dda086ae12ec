#!/usr/bin/python3
"""Each rule finds a planted violation, at its line, and is silent about the correct form beside it."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import rules
from source import code_only

CLEAN = "// A header.\n#pragma once\n"
MARK = "TO" "DO"
LESSONS = "| lesson | test |\n| --- | --- |\n"

# rule, what the row shows, planted files, expected "file:line" list
ROWS = [
    (rules.layering, "core includes io", {"core/a.h": CLEAN + '#include "io/loop.h"\n'}, ["core/a.h:3"]),
    (rules.layering, "core includes platform with angle brackets",
     {"core/a.h": CLEAN + "#include <platform/linux/x.h>\n"}, ["core/a.h:3"]),
    (rules.layering, "io includes platform", {"io/a.h": CLEAN + '#include "platform/x.h"\n'}, ["io/a.h:3"]),
    (rules.layering, "platform includes io", {"platform/a.h": CLEAN + '#include "io/x.h"\n'}, ["platform/a.h:3"]),
    (rules.layering, "io includes tools", {"io/a.cpp": '#include "tools/x.h"\n'}, ["io/a.cpp:1"]),
    (rules.layering, "core/base includes its users",
     {"core/base/a.h": CLEAN + '#include "core/packet/x.h"\n'}, ["core/base/a.h:3"]),
    (rules.layering, "the relay's protocol includes io",
     {"relay/protocol/a.h": CLEAN + '#include "io/x.h"\n'}, ["relay/protocol/a.h:3"]),
    (rules.layering, "an include relative to its own folder", {"core/base/a.h": CLEAN + '#include "wire.h"\n'},
     ["core/base/a.h:3"]),
    (rules.layering, "downwards, and the standard library, is fine",
     {"io/a.h": CLEAN + '#include <vector>\n#include "core/x.h"\n', "tools/a.h": CLEAN + '#include "io/a.h"\n',
      "relay/a.h": CLEAN + '#include "io/a.h"\n'}, []),
    (rules.layering, "a commented include is none", {"core/a.h": CLEAN + '// #include "io/x.h"\n'}, []),
    (rules.beast, "Boost outside its two files", {"io/loop.cpp": "#include <boost/asio.hpp>\n"}, ["io/loop.cpp:1"]),
    (rules.beast, "Boost in io/websocket*", {"io/websocket_client.cpp": "#include <boost/asio.hpp>\n"}, []),
    (rules.pairs, "a source of core without its header", {"core/a.cpp": "int a;\n"}, ["core/a.cpp:1"]),
    (rules.pairs, "a source that shares no noun with a header", {"core/a_b.cpp": "int a;\n", "core/b.h": CLEAN},
     ["core/a_b.cpp:1"]),
    (rules.pairs, "a part of a noun", {"core/a_b.cpp": "int a;\n", "core/a.h": CLEAN}, []),
    (rules.pairs, "a header without #pragma once", {"io/a.h": "// A header.\n"}, ["io/a.h:1"]),
    (rules.pairs, "a header without its contract", {"io/a.h": "#pragma once\n"}, ["io/a.h:1"]),
    (rules.pairs, "a pair", {"core/a.cpp": "int a;\n", "core/a.h": CLEAN}, []),
    (rules.length, "601 lines", {"io/a.cpp": "\n" * 601}, ["io/a.cpp:601"]),
    (rules.length, "600 lines", {"io/a.cpp": "\n" * 600}, []),
    (rules.throws, "a throw in core", {"core/a.h": CLEAN + "void f() {\n  throw 1;\n}\n"}, ["core/a.h:4"]),
    (rules.throws, "the word in a comment or text", {"core/a.h": CLEAN + '// throw\nauto a = "throw";\n'}, []),
    (rules.throws, "a throw at start-up, outside core", {"tools/wg/a.cpp": "void f() { throw 1; }\n"}, []),
    (rules.marks, "a mark in a comment", {"io/a.cpp": f"int a;\n// {MARK}: later\n"}, ["io/a.cpp:2"]),
    (rules.marks, "a mark in a page", {"docs/a.md": f"{MARK}\n"}, ["docs/a.md:1"]),
    (rules.formatting, "two spaces too many", {"io/a.cpp": "int   a;\n", ".clang-format": "BasedOnStyle: Google\n"},
     ["io/a.cpp:1"]),
    (rules.formatting, "formatted", {"io/a.cpp": "int a;\n", ".clang-format": "BasedOnStyle: Google\n"}, []),
    (rules.hops, "no page", {}, ["docs/architecture.md:1"]),
    (rules.hops, "an empty list", {"docs/architecture.md": "# A\n## The packet's hops\nnone\n"},
     ["docs/architecture.md:2"]),
    (rules.hops, "a file that is not there", {"docs/architecture.md": "## Hops\n1. `io/a.cpp:f`\n"},
     ["docs/architecture.md:2"]),
    (rules.hops, "a function that is not there",
     {"docs/architecture.md": "## Hops\n1. `io/a.cpp:f`\n", "io/a.cpp": "// f()\nvoid g();\n"},
     ["docs/architecture.md:2"]),
    (rules.hops, "a member of another type",
     {"docs/architecture.md": "## Hops\n1. `io/a.cpp:A::f`\n", "io/a.cpp": "void B::f() {}\n"},
     ["docs/architecture.md:2"]),
    (rules.hops, "fifteen hops",
     {"docs/architecture.md": "## Hops\n" + "1. `io/a.cpp:f`\n" * 15, "io/a.cpp": "void f() {}\n"},
     ["docs/architecture.md:1"]),
    (rules.hops, "a list as it should be",
     {"docs/architecture.md": "## Hops\n1. `io/a.cpp:A::f` reads\n", "io/a.cpp": "void A::f() {}\n"}, []),
    (rules.machine_paths, "a home folder in the README", {"README.md": "see /home/someone/x\n"}, ["README.md:1"]),
    (rules.machine_paths, "a scratch folder in a page", {"docs/a.md": "a\nin /tmp/out\n"}, ["docs/a.md:2"]),
    (rules.machine_paths, "a machine's folder in a comment", {"io/a.cpp": "// /work/x\n"}, ["io/a.cpp:1"]),
    (rules.machine_paths, "paths every Linux has", {"README.md": "/var/run/wireguard and /dev/net/tun\n"}, []),
    (rules.corpora, "a target without a corpus",
     {"tests/fuzz/a.cpp": 'extern "C" int LLVMFuzzerTestOneInput(const char*, int);\n'}, ["tests/fuzz/a.cpp:1"]),
    (rules.corpora, "a target with a corpus",
     {"tests/fuzz/a.cpp": 'extern "C" int LLVMFuzzerTestOneInput(const char*, int);\n', "tests/fuzz/corpus/a/1": "x"}, []),
    (rules.lessons, "tests that are not there",
     {"docs/a.md": LESSONS + "| a | `Suite.Other` |\n| b | `Other.Name` |\n| c | `none.py` |\n| d | `tests/fuzz/x.cpp` |\n",
      "tests/a.cpp": "TEST(Suite, Name) {}\n"},
     ["docs/a.md:3", "docs/a.md:4", "docs/a.md:5", "docs/a.md:6"]),
    (rules.lessons, "vectors that nobody tests", {"docs/a.md": LESSONS.replace("lesson", "vectors of the RFC") + "| a | none |\n"},
     ["docs/a.md:3"]),
    (rules.lessons, "a lesson without a test", {"docs/a.md": LESSONS + "| a | by hand |\n"}, ["docs/a.md:3"]),
    (rules.lessons, "tests that are there, with what may be left out of a name",
     {"docs/a.md": LESSONS + "| a | `Suite.Name`, `Suite.*`, `Name`, `….Na…`, `fine.py` |\n\n| else | test |\n",
      "tests/a.cpp": "TEST_F(Suite, Name) {}\n", "tests/system/fine.py": ""}, []),
]

BANNED_IN_CORE = [
    "std::chrono::steady_clock::now();", "auto t = ::time(nullptr);", "clock_gettime(0, &t);", "::socket(1, 2, 3);",
    "auto s = socket(AF_INET, 0, 0);", "::open(p, 0);", "::read(fd, p, n);", "sendmsg(fd, &m, 0);", "::recv(fd, p, n, 0);",
    "std::this_thread::yield();", "usleep(1);", "std::thread t(f);", "std::mutex m;", "std::lock_guard l(m);",
    "std::cout << 1;", 'printf("x");', 'std::fprintf(stderr, "x");', 'spdlog::info("x");', "#include <thread>",
    "#include <sys/socket.h>", "#include <spdlog/spdlog.h>", "#include <iostream>", "ioctl(fd, 1);", "getrandom(p, 1, 0);",
]
ALLOWED_IN_CORE = [
    "aead.open(jobs);", "backend->read(1);", "crypto::open(jobs);", "void send(Packet);", "// std::cout << socket(1);",
    'auto text = "printf(";', "std::snprintf(p, n, f);", "std::atomic<int> a;", "#include <chrono>", "device.socket(1);",
    "lifetime(nullptr);", "1'000'000;", "std::uint64_t time(Now now);",
]


class Rules(unittest.TestCase):
    def findings(self, rule, planted):
        with tempfile.TemporaryDirectory() as root:
            for name, text in planted.items():
                (Path(root) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(root) / name).write_text(text)
            return [f"{finding.path}:{finding.line}" for finding in rule(Path(root))]

    def test_rows(self):
        for rule, sentence, planted, expected in ROWS:
            with self.subTest(f"{rule.__name__}: {sentence}"):
                self.assertEqual(self.findings(rule, planted), expected)

    def test_every_rule_can_fail(self):
        failing = {rule for rule, _, _, expected in ROWS if expected} | {rules.banned_calls}
        self.assertEqual(failing, set(rules.RULES))

    def test_every_rule_is_an_entry_of_ctest(self):
        entries = (Path(__file__).parent / "CMakeLists.txt").read_text()
        names = entries.partition("foreach(rule ")[2].partition(")")[0].split()
        self.assertEqual(names, [rule.__name__ for rule in rules.RULES])

    def test_banned_calls(self):
        for line in BANNED_IN_CORE:
            with self.subTest(line):
                self.assertEqual(self.findings(rules.banned_calls, {"core/a.h": CLEAN + line + "\n"}), ["core/a.h:3"])
                self.assertEqual(self.findings(rules.banned_calls, {"io/a.h": CLEAN + line + "\n"}), [])

    def test_calls_that_only_look_banned(self):
        for line in ALLOWED_IN_CORE:
            with self.subTest(line):
                self.assertEqual(self.findings(rules.banned_calls, {"core/a.h": CLEAN + line + "\n"}), [])

    def test_notes_name_files_above_the_habit(self):
        with tempfile.TemporaryDirectory() as root:
            (Path(root) / "io").mkdir()
            (Path(root) / "io/a.cpp").write_text("\n" * 401)
            self.assertEqual(rules.notes(Path(root)), ["io/a.cpp:401: note: above the habit of 400 lines"])

    def test_blanking_keeps_lines_and_columns(self):
        text = 'a /* b\nc */ "d\\"e" \'f\' R"x(g\n)x" 1\'000 // h\ni'
        blanked = code_only(text)
        self.assertEqual([len(line) for line in blanked.split("\n")], [len(line) for line in text.split("\n")])
        self.assertEqual(blanked.split(), ["a", "1'000", "i"])


if __name__ == "__main__":
    unittest.main()
