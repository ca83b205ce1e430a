// The same ring in C++: two processes, the same messages, the same schedule.
//
//   ring flat  MESSAGES BATCH CAPACITY WRITER_CORE READER_CORE
//   ring paced MESSAGES TICKS_PER_MESSAGE CAPACITY WRITER_CORE READER_CORE TSC LATENCIES
//
// `flat`: as fast as there is room, BATCH messages published at once; a lap is from before the first
// message to after the last. `paced`: open loop; how many ticks after it was due each message came
// goes to the file LATENCIES as int64. TSC 1: ticks are the time-stamp counter's, 0: ns. Core -1: the
// process is not held to one.
#include "limit.hpp"
#include <atomic>
#include <sched.h>
#include <sys/wait.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

constexpr i64 WORDS = 8, RELEASE = 256;
constexpr u64 MIX = 0x9E3779B97F4A7C15ull;

struct alignas(64) Message {
    i64 words[WORDS];
};
struct alignas(128) Index {
    std::atomic<i64> value;
};
struct Shared {
    Index tail, head, failed, began, ended;
};
struct End {
    std::atomic<i64> *own, *other;
    Message *slots;
    i64 capacity, position, seen;
};

static inline void relax() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}
static bool use_tsc = false;
static inline i64 ticks() {
#if defined(__x86_64__)
    if (use_tsc) return i64(__rdtsc());
#endif
    return now_ns();
}
static inline i64 hash(i64 i, i64 word) {
    u64 mixed = (u64(i) * u64(WORDS) + u64(word) + 1) * MIX;
    return i64((mixed ^ (mixed >> 29)) * MIX);
}
static inline i64 room(End &e, i64 wanted) {
    i64 free = e.capacity - (e.position - e.seen);
    if (free >= wanted) return free;
    e.seen = e.other->load(std::memory_order_acquire);
    return e.capacity - (e.position - e.seen);
}
static inline i64 ready(End &e, i64 wanted) {
    i64 there = e.seen - e.position;
    if (there >= wanted) return there;
    e.seen = e.other->load(std::memory_order_acquire);
    return e.seen - e.position;
}
static inline void advance(End &e, i64 n) {
    e.position += n;
    e.own->store(e.position, std::memory_order_release);
}

static void produce(End &e, i64 stop, i64 batch) {
    while (e.position < stop) {
        i64 n = std::min({batch, stop - e.position, room(e, 1)});
        if (n == 0) {
            relax();
            continue;
        }
        for (i64 i = e.position; i < e.position + n; i++) {
            Message &m = e.slots[i & (e.capacity - 1)];
            m.words[0] = i;
            m.words[WORDS - 1] = hash(i, WORDS - 1);
        }
        advance(e, n);
    }
}
static bool consume(End &e, i64 stop) {
    while (e.position < stop) {
        i64 n = std::min(ready(e, 1), RELEASE);
        if (n == 0) {
            relax();
            continue;
        }
        for (i64 i = e.position; i < e.position + n; i++) {
            Message &m = e.slots[i & (e.capacity - 1)];
            if (m.words[0] != i || m.words[WORDS - 1] != hash(i, WORDS - 1)) return false;
        }
        advance(e, n);
    }
    return true;
}
static void produce_paced(End &e, i64 n, double gap) {
    i64 begin = ticks() + i64(1000 * gap);
    for (i64 i = 0; i < n; i++) {
        i64 due = begin + i64(i * gap);
        while (ticks() < due) {
        }
        while (room(e, 1) == 0) relax();
        Message &m = e.slots[e.position & (e.capacity - 1)];
        m.words[0] = i;
        m.words[WORDS - 1] = due;
        advance(e, 1);
    }
}
static bool consume_paced(End &e, i64 n, i64 *late) {
    for (i64 taken = 0; taken < n;) {
        i64 there = ready(e, 1);
        for (i64 k = 0; k < there; k++) {
            Message &m = e.slots[e.position & (e.capacity - 1)];
            i64 now = ticks();
            if (m.words[0] != taken) return false;
            late[taken++] = now - m.words[WORDS - 1];
            advance(e, 1);
        }
    }
    return true;
}

static void hold_to(int core) {
    if (core < 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}
static void *shared_memory(size_t bytes) {
    void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        exit(3);
    }
    return at;
}

int main(int argc, char **argv) {
    if (argc < 7) {
        fprintf(stderr, "expected six arguments or more, was %d\n", argc - 1);
        return 2;
    }
    bool paced = !strcmp(argv[1], "paced");
    i64 n = atoll(argv[2]), capacity = atoll(argv[4]);
    double pace = atof(argv[3]);
    int cores[2] = {atoi(argv[5]), atoi(argv[6])};
    use_tsc = paced && argc > 8 && atoi(argv[7]);
    Shared *shared = static_cast<Shared *>(shared_memory(sizeof(Shared)));
    Message *slots = static_cast<Message *>(shared_memory(capacity * sizeof(Message)));
    i64 *late = paced ? static_cast<i64 *>(shared_memory(n * sizeof(i64))) : nullptr;
    return serve([&](Watch &watch) {
        i64 at = shared->tail.value;
        pid_t children[2];
        int gate[2];  // neither begins to spin before both are there
        if (pipe(gate) != 0) perror("pipe"), exit(3);
        for (int side = 1; side >= 0; side--) {
            children[side] = fork();
            if (children[side] != 0) continue;
            hold_to(cores[side]);
            char begin;
            if (read(gate[0], &begin, 1) != 1) _exit(3);
            auto *tail = &shared->tail.value, *head = &shared->head.value;
            End e{side ? head : tail, side ? tail : head, slots, capacity, at, at};
            if (side == 0) {
                shared->began.value = now_ns();
                paced ? produce_paced(e, n, pace) : produce(e, at + n, i64(pace));
            } else {
                bool good = paced ? consume_paced(e, n, late) : consume(e, at + n);
                shared->failed.value = !good;
                shared->ended.value = now_ns();
            }
            _exit(0);
        }
        if (children[0] < 0 || children[1] < 0 || write(gate[1], "go", 2) != 2) perror("fork"), exit(3);
        for (pid_t child : children) waitpid(child, nullptr, 0);
        close(gate[0]);
        close(gate[1]);
        if (shared->failed.value) {
            fprintf(stderr, "a message was not the expected one\n");
            exit(4);
        }
        watch.laps.emplace_back(shared->ended.value - shared->began.value, n);
        if (paced) {
            FILE *out = fopen(argv[8], "wb");
            if (!out || fwrite(late, sizeof(i64), n, out) != size_t(n)) perror(argv[8]), exit(3);
            fclose(out);
        }
        Answer answer;
        answer.checksum = u64(shared->tail.value - at);
        return answer;
    });
}
