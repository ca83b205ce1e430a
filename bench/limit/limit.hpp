// What every yardstick shares: its input, its clock, and the way it answers.
//
//   PROGRAM INPUT [ARGUMENT...]
//
// INPUT is a file of fixed-size rows as numpy wrote them. For every line on stdin the program
// makes a fresh state, runs once over all rows, and answers with one line of JSON:
//   {"laps": [[ns, operations], ...], "checksum": "0x...", "detail": {...}}
// The checksum covers what was computed, so that both sides can be seen to have done the same work
// and the compiler cannot leave any of it out.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

typedef int64_t i64;
typedef uint64_t u64;

constexpr i64 BID = 0, ASK = 1, NO_SIDE = 2;
constexpr i64 NO_BID = -1, NO_ASK = i64(1) << 60;
constexpr unsigned char DEPTH = 1, TRADE = 2, CLEAR = 4;
constexpr unsigned F_LAST = 1;
constexpr size_t BATCH = 16384;

// layouts.EVENT
struct Event {
    i64 ts_exch_ns, ts_local_ns, px_ticks, qty_lots, seq, ref;
    int32_t instrument;
    int16_t venue;
    uint8_t kind, side;
    uint16_t flags, reserved;
    int32_t aux;
};
static_assert(sizeof(Event) == 64, "one cache line");

inline i64 now_ns() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

// The checksum that kimera's side computes too: order matters, wrap-around is meant.
inline u64 mix(u64 sum, u64 value) { return (sum ^ value) * 0x9E3779B97F4A7C15ull; }

template <class Row> struct Rows {
    std::vector<Row> rows;  // a copy: in memory like numpy's, not pages of a file
    explicit Rows(const char *path) {
        int file = open(path, O_RDONLY);
        struct stat about;
        if (file < 0 || fstat(file, &about) != 0) {
            perror(path);
            exit(3);
        }
        if (about.st_size % sizeof(Row) != 0) {
            fprintf(stderr, "expected rows of %zu bytes in %s, was %lld bytes\n", sizeof(Row), path,
                    (long long)about.st_size);
            exit(3);
        }
        rows.resize(about.st_size / sizeof(Row));
        char *at = reinterpret_cast<char *>(rows.data());
        for (i64 left = about.st_size; left > 0;) {
            ssize_t got = read(file, at, left);
            if (got <= 0) {
                perror(path);
                exit(3);
            }
            at += got;
            left -= got;
        }
        close(file);
    }
};

struct Watch {
    std::vector<std::pair<i64, i64>> laps;
    i64 began = 0;
    void start() { began = now_ns(); }
    void lap(i64 operations) {
        laps.emplace_back(now_ns() - began, operations);
        began = now_ns();
    }
};

struct Answer {
    u64 checksum = 0;
    std::string detail = "{}";
};

// Answer every line of stdin by one run; `run(watch)` starts the watch itself.
template <class Run> int serve(Run run) {
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        Watch watch;
        Answer answer = run(watch);
        printf("{\"laps\": [");
        for (size_t i = 0; i < watch.laps.size(); i++)
            printf("%s[%lld, %lld]", i ? ", " : "", (long long)watch.laps[i].first,
                   (long long)watch.laps[i].second);
        printf("], \"checksum\": \"0x%016llx\", \"detail\": %s}\n",
               (unsigned long long)answer.checksum, answer.detail.c_str());
        fflush(stdout);
    }
    return 0;
}
