"""The project's style as rules. Each rule takes the tree's root and returns its findings; rules_test.py plants a
violation of each. The reasons stand in docs/architecture.md and docs/testing.md.
"""
import re
import subprocess
from pathlib import Path

from source import CPP_SUFFIXES, SOURCE_FOLDERS, Finding, code_only, files, numbered, read

LINES_MAX = 600  # one noun per file
LINES_HABIT = 400
HOPS_MAX = 14  # more, and nobody reads the list

# Folder → what it may include. The longest matching folder decides; tools, tests and benchmarks join everything.
LAYERS = {
    "core/base": ("core/base",),
    "core": ("core",),
    "io": ("io", "core"),
    "platform": ("platform", "core"),
    "relay/protocol": ("relay/protocol", "core"),
    "relay": ("relay", "io", "platform", "core", "bpf"),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
OWN_FOLDERS = SOURCE_FOLDERS


def includes(root, path):
    for number, line in numbered(code_only(read(root, path))):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def layering(root):
    """Includes point downwards: tools → relay → io, platform → core → core/base."""
    found = []
    for path in files(root):
        layer = max((f for f in LAYERS if path.as_posix().startswith(f + "/")), key=len, default=None)
        for number, kind, name in includes(root, path):
            top = name.split("/")[0]
            if top not in OWN_FOLDERS or "/" not in name:
                if kind == '"' and not (Path(root) / path).name.endswith(".skel.h") and not (Path(root) / name).exists():
                    found.append(Finding(path, number, "layering", f'include "{name}" by its full path from the root'))
                continue
            if layer and not any(name.startswith(allowed + "/") for allowed in LAYERS[layer]):
                found.append(Finding(path, number, "layering", f"{layer} may not include {name}"))
    return found


def beast(root):
    """Boost.Beast compiles slowly and is confined to io/websocket* and io/http* (design, section 3)."""
    return [
        Finding(path, number, "beast", f"{name} belongs into io/websocket* or io/http* alone")
        for path in files(root)
        if not re.match(r"io/(websocket|http)", path.as_posix())
        for number, _, name in includes(root, path)
        if name.startswith("boost/")
    ]


def pairs(root):
    """One noun per pair: every source of core has its header, or is a part of a noun with one (`noun_part.cpp` beside
    `noun.h`); every header opens with its contract and has `#pragma once`."""
    found = []
    for path in files(root, ("core",)):
        words = path.stem.split("_")
        nouns = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
        if path.suffix == ".cpp" and not any((Path(root) / path).with_name(f"{noun}.h").exists() for noun in nouns):
            found.append(Finding(path, 1, "pairs", f"{path.stem}.h is missing beside it"))
    for path in files(root, ("core", "io", "platform", "relay", "tools"), (".h",)):
        text = read(root, path)
        if "#pragma once" not in text:
            found.append(Finding(path, 1, "pairs", "a header needs #pragma once"))
        if not text.startswith(("//", "/*")):
            found.append(Finding(path, 1, "pairs", "a header opens with its contract: purpose, lifetime, threads"))
    return found


def length(root):
    """600 lines at most; notes(root) lists files above the habit of 400."""
    return [
        Finding(path, count, "length", f"{count} lines, at most {LINES_MAX}: split it by its nouns")
        for path, count in line_counts(root)
        if count > LINES_MAX
    ]


def line_counts(root):
    for path in files(root, suffixes=CPP_SUFFIXES + (".py",)):
        yield path, read(root, path).count("\n")


def notes(root):
    return [f"{p}:{n}: note: above the habit of {LINES_HABIT} lines" for p, n in line_counts(root) if n > LINES_HABIT]


# core is sans-I/O. Headers first: without them the calls do not compile. <arpa/inet.h> stays allowed: inet_pton and
# inet_ntop are pure functions of text.
BANNED_HEADERS = re.compile(
    r"^(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token|iostream|ostream|istream"
    r"|fstream|sstream|filesystem|cstdio|stdio\.h|ctime|time\.h|unistd\.h|fcntl\.h|poll\.h|pthread\.h|sched\.h|signal\.h"
    r"|csignal|netdb\.h|sys/.*|linux/.*|netinet/.*|net/.*|liburing.*|libmnl/.*|spdlog/.*|fmt/.*|boost/.*)$"
)
BANNED_CALLS = [
    (re.compile(r"\b\w*_clock::now\b"), "time is an argument (core/base/time.h)"),
    (re.compile(r"\b(clock_gettime|gettimeofday|timerfd_\w+)\s*\("), "time is an argument (core/base/time.h)"),
    (re.compile(r"(?<![\w.>:])(std::|::)?time\s*\(\s*(nullptr|NULL|0\b|&)"), "time is an argument (core/base/time.h)"),
    (re.compile(r"\b(sleep_for|sleep_until|nanosleep|usleep|sched_yield)\b|std::this_thread\b"), "core never waits"),
    (
        re.compile(
            r"(?<![\w.>])(?<!\w::)(::)?(socket|setsockopt|recvfrom|recvmsg|recvmmsg|sendto|sendmsg|sendmmsg|epoll_\w+|ioctl|mmap"
            r"|eventfd|fork|getrandom|getenv|syscall)\s*\("
        ),
        "no system call in core",
    ),
    (
        re.compile(r"(?<![\w>])::(open|close|read|write|send|recv|poll|bind|connect|accept|getpid)\s*\("),
        "no system call in core",
    ),
    (re.compile(r"\bstd::(jthread|thread|async|\w*mutex|lock_guard|unique_lock|scoped_lock|condition_variable\w*)\b"),
     "core has no threads and no locks"),
    (re.compile(r"\bstd::(cout|cerr|clog|cin)\b|(?<![\w.>])(std::|::)?(v?f?printf|f?puts|fwrite|fopen|putchar)\s*\("),
     "core does no input or output"),
    (re.compile(r"\b(spdlog|fmt)::"), "core does not log: return a value or count it"),
]


def banned_calls(root):
    """core makes no system call, starts no thread, reads no clock, writes no log."""
    found = []
    for path in files(root, ("core",)):
        for number, _, name in includes(root, path):
            if BANNED_HEADERS.match(name):
                found.append(Finding(path, number, "banned_calls", f"<{name}> has no place in core"))
        for number, line in numbered(code_only(read(root, path))):
            for pattern, reason in BANNED_CALLS:
                match = pattern.search(line)
                if match:
                    found.append(Finding(path, number, "banned_calls", f"{match.group(0).strip()}: {reason}"))
    return found


def throws(root):
    """Expected failure is a value: core throws nothing and catches nothing."""
    pattern = re.compile(r"\b(throw|try|catch)\b")
    return [
        Finding(path, number, "throws", "core returns Result, it does not throw")
        for path in files(root, ("core",))
        for number, line in numbered(code_only(read(root, path)))
        if pattern.search(line)
    ]


def marks(root):
    """No unfinished marks: finish it, or write it into docs/status.md."""
    pattern = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    checked = files(root, suffixes=CPP_SUFFIXES + (".py", ".txt", ".cmake", ".sh", "")) + files(root, ("docs",), (".md",))
    return [
        Finding(path, number, "marks", "finish it, or say it in docs/status.md")
        for path in checked
        for number, line in numbered(read(root, path))
        if pattern.search(line)
    ]


def formatting(root):
    """clang-format-19 agrees; tools/format rewrites."""
    sources = [path for path in files(root) if path.suffix in CPP_SUFFIXES]
    if not sources:
        return []
    command = ["clang-format-19", "--dry-run", "-Werror", "--ferror-limit=1", *map(str, sources)]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    found = []
    for line in result.stderr.splitlines():
        match = re.match(r"(?P<path>[^:]+):(?P<line>\d+):\d+: error: ", line)
        if match:
            found.append(Finding(match["path"], int(match["line"]), "formatting", "run tools/format"))
    if result.returncode != 0 and not found:
        found.append(Finding(".clang-format", 1, "formatting", result.stderr.strip() or "clang-format-19 failed"))
    return found


HOPS_PAGE = "docs/architecture.md"
HOPS_TITLE = re.compile(r"^#+ .*\bhops\b", re.IGNORECASE)
HOP = re.compile(r"`([\w./-]+\.(?:cpp|h|c)):([\w:~]+)`")


def hops(root):
    """docs/architecture.md lists the packet's way as `file:function`, 1 to 14 of them, and each exists."""
    if not (Path(root) / HOPS_PAGE).exists():
        return [Finding(HOPS_PAGE, 1, "hops", "the page is missing")]
    found, count, inside, title = [], 0, False, 1
    for number, line in numbered(read(root, HOPS_PAGE)):
        if line.startswith("#"):
            inside = bool(HOPS_TITLE.match(line))
            title = number if inside else title
        for name, function in HOP.findall(line) if inside else ():
            count += 1
            if not (Path(root) / name).is_file():
                found.append(Finding(HOPS_PAGE, number, "hops", f"{name} does not exist"))
            elif not defines(read(root, name), function):
                found.append(Finding(HOPS_PAGE, number, "hops", f"{name} has no function {function}"))
    if count == 0:
        found.append(Finding(HOPS_PAGE, title, "hops", "the list of hops is empty"))
    if count > HOPS_MAX:
        found.append(Finding(HOPS_PAGE, title, "hops", f"{count} hops, at most {HOPS_MAX}"))
    return found


def defines(text, function):
    """Whether the code holds the function: a type's member is found by its last name, in the file of that type."""
    return all(re.search(rf"\b{re.escape(part)}\b", code_only(text)) for part in function.split("::") if part) and bool(
        re.search(rf"\b{re.escape(function.split('::')[-1])}\s*\(", code_only(text))
    )


def machine_paths(root):
    """Documents and sources name no path of one machine."""
    pattern = re.compile(r"(?<![\w.$}])/(home|work|root|Users|farm|mnt|tmp/(?!\w*\$))\b/?[\w.-]*")
    sources = re.compile(r"(?<![\w.$}])/(home|work|root|Users|farm)/[\w.-]+")
    documents = [p.relative_to(root) for p in sorted(Path(root).glob("*.md"))] + files(root, ("docs",), (".md",))
    found = []
    for path, rule in [(p, pattern) for p in documents] + [(p, sources) for p in files(root, ("core", "io", "platform", "relay", "tools", "bpf", "benchmarks"), CPP_SUFFIXES + ("", ".py"))]:
        for number, line in numbered(read(root, path)):
            match = rule.search(line)
            if match:
                found.append(Finding(path, number, "machine_paths", f"{match.group(0)} is a path of one machine"))
    return found


def corpora(root):
    """Every fuzz target has a committed corpus of its own name with at least one file."""
    found = []
    for path in files(root, ("tests/fuzz",), (".cpp",)):
        if "LLVMFuzzerTestOneInput" not in code_only(read(root, path)):
            continue
        corpus = Path(root) / "tests/fuzz/corpus" / path.stem
        if not corpus.is_dir() or not any(entry.is_file() for entry in corpus.iterdir()):
            found.append(Finding(path, 1, "corpora", f"tests/fuzz/corpus/{path.stem}/ is missing or empty"))
    return found


TEST_MACRO = re.compile(r"\b(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+)\s*,\s*(\w+)")
LESSON_TITLE = re.compile(r"^\|[^|]*\b(lesson|vectors)\b.*\|\s*tests?\s*\|\s*$", re.IGNORECASE)
SUITE_DOT_NAME = re.compile(r"(\w+|…)\.([\w…*]+)$")


def lessons(root):
    """Tables "lesson | test" and "vectors | test" of the pages: every test, target or scenario in the last column exists. `Suite.Name`, `Suite.*`,
    a name alone of a suite named before, and … for what is left out."""
    tests = {}
    for path in files(root, ("tests",), (".cpp",)):
        for suite, name in TEST_MACRO.findall(read(root, path)):
            tests.setdefault(suite, set()).add(name)
    found = []
    for path in files(root, ("docs",), (".md",)):
        inside = False
        for number, line in numbered(read(root, path)):
            if LESSON_TITLE.match(line):
                inside = True
            elif not line.startswith("|"):
                inside = False
            elif inside and not line.startswith(("|--", "| --")):
                cell = line.rstrip().rstrip("|").rsplit("|", 1)[1]
                names = re.findall(r"`([^`]+)`", cell)
                if not names:
                    found.append(Finding(path, number, "lessons", "this lesson names no test"))
                found += [
                    Finding(path, number, "lessons", f"there is no test {name}")
                    for name in names
                    if not is_test(root, tests, name)
                ]
    return found


def is_test(root, tests, name):
    if "/" in name or name.endswith(".py"):
        return any((Path(root) / folder / name).is_file() for folder in ("", "tests/system"))
    match = SUITE_DOT_NAME.match(name)
    suite, wanted = match.groups() if match else ("…", name)
    pattern = re.compile(re.escape(wanted).replace("…", ".*").replace(r"\*", ".*") + "$")
    suites = tests.values() if suite == "…" else [tests.get(suite, ())]
    return any(pattern.match(test) for some in suites for test in some)


RULES = [layering, beast, pairs, length, banned_calls, throws, marks, formatting, hops, machine_paths, corpora, lessons]
