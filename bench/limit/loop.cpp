// Yardstick of the loop: event -> book -> features -> table -> gate -> order slot.
//
//   loop EVENTS TABLE GATE INSTRUMENT SLEEVES QTY_LOTS
//
// The same work as bench/tick_work.py on the same input, written as C++ likes it: the same formulas
// in the same order of operations (no contraction), so that every decision and every sum is the
// same to the last bit, which the checksum covers. Each run makes two passes: one in batches for
// the rate, one with a reading of the counter before and after each event for the quantiles.
#include "ladder.hpp"

#include <cmath>
#ifdef __x86_64__
#include <immintrin.h>
#include <x86intrin.h>
inline i64 counter() { return i64(__rdtsc()); }
#else
inline i64 counter() { return now_ns(); }
#endif

constexpr i64 NEAR = 2048;
constexpr double FLOW_RATE = 1e-9 / 5.0;
constexpr i64 SAMPLE_NS = 100000000, NS_PER_DAY = 86400000000000;
constexpr int AXES = 8, BINS = 64, CELLS = 10000, SLOTS = 4096;
constexpr i64 SPOT = 0, INVERSE = 2;

// --- features (kernels/features.py) ---------------------------------------------------------------
struct Features {
    i64 bid = 0, bid_lots = 0, ask = 0, ask_lots = 0;
    double mid = 0, micro = 0, queue = 0, depth = 0, ofi = 0, flow = 0, vol[3] = {};
    i64 ts_flow = 0, ts_vol = 0, ts_start = 0, updates = 0;
    double var[3] = {}, vol_mid = 0, ofi_sum = 0;
};

inline double fade(double x) {
    if (x < 0.001) return 1.0 - x * (1.0 - x * (0.5 - x * (1.0 / 6.0)));
    return std::exp(-x);
}
inline double imbalance(i64 bid, i64 ask) {
    i64 total = bid + ask;
    return total <= 0 ? NAN : double(bid - ask) / double(total);
}
inline void fade_flow(Features &f, i64 ts) {
    i64 elapsed = ts - f.ts_flow;
    if (elapsed <= 0) return;
    if (f.ofi != 0.0 || f.flow != 0.0) {
        double weight = fade(double(elapsed) * FLOW_RATE);
        f.ofi *= weight;
        f.flow *= weight;
    }
    f.ts_flow = ts;
}
inline void sample_volatility(Features &f, i64 ts) {
    if (f.ts_start == 0) {
        f.ts_start = f.ts_vol = ts;
        f.vol_mid = f.mid;
        return;
    }
    i64 dt_ns = ts - f.ts_vol;
    if (dt_ns < SAMPLE_NS) return;
    static const double TAU[3] = {10.0, 60.0, 300.0};
    double move = f.mid - f.vol_mid, dt = double(dt_ns) * 1e-9;
    double elapsed = double(ts - f.ts_start) * 1e-9, rate = move * move / dt;
    for (int k = 0; k < 3; k++) {
        double weight = std::max(1.0 - fade(dt / TAU[k]), dt / elapsed);
        f.var[k] = f.var[k] + weight * (rate - f.var[k]);
        f.vol[k] = std::sqrt(f.var[k]);
    }
    f.ts_vol = ts;
    f.vol_mid = f.mid;
}
inline void bring_up(Features &f, const Book &book, i64 ts) {
    i64 bid = book.best_bid(), ask = book.best_ask();
    i64 bid_lots = bid == NO_BID ? 0 : book.bids.lots[book.bid];
    i64 ask_lots = ask == NO_ASK ? 0 : book.asks.lots[book.ask];
    fade_flow(f, ts);
    if (f.updates > 0) {
        i64 e = 0;
        if (bid >= f.bid) e += bid_lots;
        if (bid <= f.bid) e -= f.bid_lots;
        if (ask <= f.ask) e -= ask_lots;
        if (ask >= f.ask) e += f.ask_lots;
        f.ofi += double(e);
        f.ofi_sum += double(e);
    } else {
        f.vol[0] = f.vol[1] = f.vol[2] = NAN;
    }
    f.updates++;
    f.bid = bid, f.bid_lots = bid_lots, f.ask = ask, f.ask_lots = ask_lots;
    if (bid == NO_BID || ask == NO_ASK) {
        f.mid = f.micro = f.queue = f.depth = NAN;
        return;
    }
    f.mid = 0.5 * double(bid + ask);
    f.queue = imbalance(bid_lots, ask_lots);
    f.micro = f.mid + 0.5 * double(ask - bid) * f.queue;
    f.depth = imbalance(book.depth(BID, 5, NEAR), book.depth(ASK, 5, NEAR));
    sample_volatility(f, ts);
}

// --- decision table (kernels/table.py) ------------------------------------------------------------
struct Entry {
    i64 version, learned, expires;
    double expected;
    float p_sell, p_hold, p_buy, confidence, support;
    int32_t action;
    i64 check;
};
struct TableSide {
    i64 version, cells, strides[AXES], bins[AXES], reserved[6];
    double edges[AXES][BINS], lasts[AXES][8];
    Entry entries[CELLS];
};
struct Table {
    i64 magic, bytes, sequence, reserved[5];
    TableSide sides[2];
};
static_assert(sizeof(Entry) == 64 && sizeof(TableSide) == 192 + 4096 + 512 + 64 * CELLS, "TABLE");

struct Reader {
    Table *table;
    i64 min_version = 0, max_age = 0;
    double min_confidence = 0;
    Entry entry = {};
    i64 cell = -1, status = 0, counts[16] = {}, age_max = 0;
    double age_sum = 0;
};

inline i64 count_below(const double *edges, double x) {
#ifdef __AVX512F__
    return __builtin_popcount(
        _mm512_cmp_pd_mask(_mm512_loadu_pd(edges), _mm512_set1_pd(x), _CMP_LE_OQ));
#else
    i64 n = 0;
    for (int k = 0; k < 8; k++) n += edges[k] <= x;
    return n;
#endif
}
inline i64 quantise(const TableSide &side, const Features &f) {
    const double x[AXES] = {f.queue, f.depth, f.ofi, f.flow, double(f.ask - f.bid),
                            f.vol[0], f.vol[1], f.vol[2]};
    i64 cell = 0;
    for (int axis = 0; axis < AXES; axis++) {
        if (!side.strides[axis]) continue;
        if (!std::isfinite(x[axis])) return -1;
        i64 block = count_below(side.lasts[axis], x[axis]);
        cell += side.strides[axis] * (8 * block + count_below(side.edges[axis] + 8 * block, x[axis]));
    }
    return cell;
}
inline i64 judge(const Reader &r, i64 now) {
    const Entry &e = r.entry;
    if (e.version == 0) return 3;
    if (now < e.learned) return 7;
    if (e.version < r.min_version) return 6;
    if (now >= e.expires) return 4;
    if (r.max_age > 0 && now - e.learned > r.max_age) return 5;
    return e.confidence >= r.min_confidence ? 0 : 8;
}
inline i64 look(Reader &r, const Features &f, i64 now) {
    i64 status = 9;
    for (int tries = 0; tries < 8; tries++) {
        i64 sequence = __atomic_load_n(&r.table->sequence, __ATOMIC_ACQUIRE);
        if (!sequence) {
            status = 1;
            break;
        }
        const TableSide &side = r.table->sides[sequence & 1];
        r.cell = quantise(side, f);
        if (r.cell >= CELLS) r.cell = -1;
        if (r.cell >= 0) r.entry = side.entries[r.cell];
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&r.table->sequence, __ATOMIC_RELAXED) == sequence) {
            status = r.cell >= 0 ? judge(r, now) : 2;
            break;
        }
    }
    r.status = status;
    r.counts[status]++;
    if (status == 0) {
        i64 age = now - r.entry.learned;
        r.age_sum += double(age);
        r.age_max = std::max(r.age_max, age);
    }
    return status;
}

// --- gate (kernels/gate.py, kernels/ledger.py) ----------------------------------------------------
struct Instrument {
    i64 kind;
    double tick, lot, contract_size, maker_fee, taker_fee;
    i64 min_lots, max_lots;
    double min_notional, settle_rate;
};
struct Gate {
    i64 kill, trading, halted, max_open_orders, stale_ns;
    double tokens, token_rate, token_burst;
    i64 token_ts;
    double max_order, max_position, max_asset, collar, max_drawdown, max_daily_loss, cash, peak;
    i64 day;
    double day_start, worst_drawdown;
    i64 open_orders, spot_short, counts[32], overload, queue_age, queue_limit;
    struct Pace {  // of venues; a tape has none
        double tokens, token_rate, token_burst;
        i64 token_ts, n_ages, ages[8];
        double age_units[8];
    } paces[16];
};
static_assert(sizeof(Instrument) == 80 && sizeof(Gate) == 8 * (57 + 21 * 16), "INSTRUMENT, GATE");

struct View {  // what the gate reads of a sleeve; one cache line
    i64 position = 0, open_bids = 0, open_asks = 0;
    double cash = 0, fees = 0, volume = 0;
    i64 fills = 0, reserved = 0;
};

inline double quote_value(const Instrument &in, double px, i64 lots) {
    double size = double(lots) * in.lot * in.contract_size;
    return in.kind == INVERSE ? size : size * px * in.tick;
}
inline double worth_of(const Instrument &in, const View &v, double mid) {
    double own = v.cash;
    if (v.position) {
        double value = double(v.position) * in.lot * in.contract_size;
        own = in.kind == INVERSE ? own - value / (mid * in.tick) : own + value * mid * in.tick;
    }
    return in.kind == INVERSE ? own * mid * in.tick * in.settle_rate : own * in.settle_rate;
}
inline bool take_token(Gate &g, i64 ts) {
    i64 passed = ts - g.token_ts;
    if (passed > 0) {
        g.tokens = std::min(g.token_burst, g.tokens + double(passed) * 1e-9 * g.token_rate);
        g.token_ts = ts;
    }
    if (g.tokens < 1.0) return false;
    g.tokens -= 1.0;
    return true;
}
inline i64 check(Gate &g, const std::vector<View> &views, const Instrument &in, const Features &f,
                 i64 arrived, i64 side, i64 px, i64 lots, i64 ts) {
    const double mid = f.mid;
    if (!(mid > 0.0)) return 13;
    if (lots < in.min_lots || (in.max_lots > 0 && lots > in.max_lots)) return 3;
    const double notional = quote_value(in, double(px), lots);
    i64 position = 0, opened = 0;
    double value = g.cash, exposure = 0.0;
    for (const View &v : views) {
        i64 mine = side == BID ? v.open_bids : v.open_asks;
        position += v.position;
        opened += mine;
        if (v.position || v.cash != 0.0) value += worth_of(in, v, mid);
        if (i64 left = side == BID ? v.position + mine : v.position - mine)
            exposure += quote_value(in, mid, left) * in.settle_rate;
    }
    const i64 held = side == BID ? -position : position;
    const bool reduces = held > 0 && opened + lots <= held;
    if (notional < in.min_notional && !reduces) return 3;
    if (reduces) return 0;
    if (g.kill) return 1;
    if (!g.trading) return 2;
    if (g.halted) return g.halted;
    if (g.overload) return 17;
    if (ts - arrived > g.stale_ns) return 12;
    if (std::abs(double(px) - mid) > g.collar * mid) return 9;
    if (g.open_orders >= g.max_open_orders) return 7;
    if (in.kind == SPOT && side == ASK && !g.spot_short && opened + lots > position) return 5;
    if (!(value > 0.0)) return 13;
    const double worth = std::max(notional, quote_value(in, mid, lots)) * in.settle_rate;
    if (worth > g.max_order * value) return 4;
    if (quote_value(in, std::max(double(px), mid), opened + lots - held) * in.settle_rate >
        g.max_position * value)
        return 5;
    if (!((side == ASK ? -exposure : exposure) + worth <= g.max_asset * value)) return 6;
    return take_token(g, ts) ? 0 : 8;
}

// --- the loop -------------------------------------------------------------------------------------
struct Slot {
    i64 seq, ts, side, px, qty, cell, sleeve, event;
};

struct Loop {
    Book book;
    Features f;
    Reader reader;
    Gate gate;
    const Instrument in;
    std::vector<View> views;
    std::vector<Slot> slots = std::vector<Slot>(SLOTS);
    const i64 qty;
    i64 messages = 0, asked = 0, orders = 0, arrived = 0;
    u64 hash = 0;

    Loop(i64 low, Table *table, const Gate &g, const Instrument &i, size_t sleeves, i64 lots)
        : book(low), reader{table}, gate(g), in(i), views(sleeves), qty(lots) {}

    int tick(const Event &e, i64 at) {  // 0: nothing, 1: denied, 2: an order
        if (e.kind == DEPTH) {
            book.set(e.side, e.px_ticks, e.qty_lots);
        } else if (e.kind == CLEAR) {
            book.clear(e.side);
        } else if (e.kind == TRADE) {
            fade_flow(f, e.ts_local_ns);
            if (e.side == BID) f.flow += double(e.qty_lots);
            if (e.side == ASK) f.flow -= double(e.qty_lots);
        }
        if (!(e.flags & F_LAST)) return 0;
        const i64 ts = e.ts_local_ns;
        bring_up(f, book, ts);
        arrived = ts;
        messages++;
        if (look(reader, f, ts) != 0 || reader.entry.action == 0) return 0;
        const i64 side = reader.entry.action == 1 ? BID : ASK, px = side == BID ? f.bid : f.ask;
        const i64 s = asked++ % i64(views.size());
        const i64 code = check(gate, views, in, f, arrived, side, px, qty, ts);
        hash = (hash ^ u64(code * 4 + side) ^ u64(px)) * 0x9E3779B97F4A7C15ull;
        if (code) return 1;
        slots[orders & (SLOTS - 1)] = {orders, ts, side, px, qty, reader.cell, s, at};
        orders++;
        return 2;
    }
    void settle() {
        const Slot &o = slots[(orders - 1) & (SLOTS - 1)];
        View &v = views[o.sleeve];
        double size = double(o.qty) * in.lot * in.contract_size;
        double value = in.kind == INVERSE ? size / (double(o.px) * in.tick)
                                          : size * double(o.px) * in.tick;
        double fee = value * in.maker_fee, sign = o.side == BID ? 1.0 : -1.0;
        v.cash += in.kind == INVERSE ? sign * value : -(sign * value);
        v.cash -= fee;
        v.position += o.side == BID ? o.qty : -o.qty;
        v.fees += fee;
        v.volume += value;
        v.fills++;
    }
    u64 checksum() const {
        u64 sum = mix(mix(mix(hash, u64(messages)), u64(asked)), u64(orders));
        for (double x : {f.micro, f.depth, f.ofi, f.ofi_sum, f.flow, f.vol[0], f.vol[2], gate.tokens})
            sum = mix(sum, bits(x));
        for (const View &v : views) sum = mix(mix(sum, u64(v.position)), bits(v.cash));
        return sum;
    }
    static u64 bits(double x) {
        u64 word;
        if (std::isnan(x)) return 0x7FF8000000000000ull;
        memcpy(&word, &x, sizeof word);
        return word;
    }
};

static double ns_per_tick() {
    i64 ns = now_ns(), ticks = counter();
    while (now_ns() < ns + 20000000) {}
    return double(now_ns() - ns) / double(counter() - ticks);
}

int main(int argc, char **argv) {
    if (argc != 7)
        return fprintf(stderr, "usage: loop EVENTS TABLE GATE INSTRUMENT SLEEVES LOTS\n"), 2;
    Rows<Event> events(argv[1]);
    Rows<Table> table(argv[2]);
    Rows<Gate> gates(argv[3]);
    Rows<Instrument> instruments(argv[4]);
    const std::vector<Event> &rows = events.rows;
    const i64 low = Book::window(rows);
    const double scale = ns_per_tick();
    auto fresh = [&] {
        return std::make_unique<Loop>(low, &table.rows[0], gates.rows[0], instruments.rows[0],
                                      size_t(atoi(argv[5])), atoll(argv[6]));
    };
    std::vector<i64> took(rows.size());
    return serve([&](Watch &watch) {
        auto loop = fresh();
        watch.start();
        for (size_t begin = 0; begin < rows.size(); begin += BATCH) {
            size_t end = std::min(begin + BATCH, rows.size());
            for (size_t i = begin; i < end; i++)
                if (loop->tick(rows[i], i64(i)) == 2) loop->settle();
            watch.lap(i64(end - begin));
        }
        Answer answer;
        answer.checksum = loop->checksum();
        loop = fresh();
        size_t n = 0;
        for (size_t i = 0; i < rows.size(); i++) {
            i64 before = counter();
            int made = loop->tick(rows[i], i64(i));
            i64 after = counter();
            if (made) took[n++] = after - before;
            if (made == 2) loop->settle();
        }
        std::sort(took.begin(), took.begin() + n);
        auto at = [&](double q) {
            size_t rank = size_t(std::ceil(q * double(n) - 1e-9));
            return n ? double(took[std::min(rank ? rank - 1 : 0, n - 1)]) * scale : 0.0;
        };
        char text[256];
        snprintf(text, sizeof text,
                 "{\"n\": %zu, \"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f, \"max\": %.2f}", n,
                 at(0.5), at(0.99), at(0.999), at(1.0));
        answer.detail = text;
        return answer;
    });
}
