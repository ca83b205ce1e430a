// Yardstick of the level-2 book: best prices after every level, price by index in a flat ladder.
//
// The window is laid once, around the middle of all prices of the input, and never moves; levels
// worse than it go to a std::map. What kimera pays for a window that follows the market is part of
// the ratio. An input whose best price leaves the window ends the run.
#include "limit.hpp"

#include <map>

constexpr i64 WINDOW = 1 << 20;  // ticks per side

struct Side {
    std::vector<i64> lots = std::vector<i64>(WINDOW);
    std::vector<u64> words = std::vector<u64>(WINDOW >> 6);
    std::vector<u64> sums = std::vector<u64>(WINDOW >> 12);

    void mark(u64 t) {
        words[t >> 6] |= 1ull << (t & 63);
        sums[t >> 12] |= 1ull << (t >> 6 & 63);
    }
    void unmark(u64 t) {
        if (!(words[t >> 6] &= ~(1ull << (t & 63)))) sums[t >> 12] &= ~(1ull << (t >> 6 & 63));
    }
    i64 down(i64 t) const {  // highest occupied cell at or below t, or -1
        if (t < 0) return -1;
        u64 left = words[t >> 6] & (~0ull >> (63 - (t & 63)));
        i64 word = t >> 6;
        if (!left) {
            i64 block = word >> 6;
            left = sums[block] & ((1ull << (word & 63)) - 1);
            while (!left) {
                if (--block < 0) return -1;
                left = sums[block];
            }
            word = (block << 6) | (63 - __builtin_clzll(left));
            left = words[word];
        }
        return (word << 6) | (63 - __builtin_clzll(left));
    }
    i64 up(i64 t) const {  // lowest occupied cell at or above t, or WINDOW
        if (t >= WINDOW) return WINDOW;
        i64 word = t >> 6;
        u64 left = words[word] & (~0ull << (t & 63));
        if (!left) {
            i64 block = word >> 6;
            left = sums[block] & ~((2ull << (word & 63)) - 1);
            if ((word & 63) == 63) left = 0;
            while (!left) {
                if (++block >= WINDOW >> 12) return WINDOW;
                left = sums[block];
            }
            word = (block << 6) | __builtin_ctzll(left);
            left = words[word];
        }
        return (word << 6) | __builtin_ctzll(left);
    }
    void clear() {
        for (i64 t = up(0); t < WINDOW; t = up(t + 1)) {
            lots[t] = 0;
            unmark(t);
        }
    }
};

struct Book {
    Side bids, asks;
    i64 bid = -1, ask = WINDOW;  // cells
    std::map<i64, i64> far[2];

    void set_far(unsigned side, i64 t, i64 lots) {
        if ((side == BID) != (t < 0)) {
            fprintf(stderr, "expected best prices within %lld ticks\n", (long long)WINDOW);
            exit(3);
        }
        if (lots > 0)
            far[side][t] = lots;
        else
            far[side].erase(t);
    }
    void set(unsigned side, i64 t, i64 lots) {
        if (u64(t) >= u64(WINDOW)) {
            set_far(side, t, lots);
        } else if (side == BID) {
            bids.lots[t] = lots;
            if (lots > 0) {
                bids.mark(t);
                if (t > bid) bid = t;
            } else {
                bids.unmark(t);
                if (t == bid) bid = bids.down(t);
            }
        } else {
            asks.lots[t] = lots;
            if (lots > 0) {
                asks.mark(t);
                if (t < ask) ask = t;
            } else {
                asks.unmark(t);
                if (t == ask) ask = asks.up(t);
            }
        }
    }
    void clear(unsigned side) {
        if (side != ASK) bids.clear(), far[BID].clear(), bid = -1;
        if (side != BID) asks.clear(), far[ASK].clear(), ask = WINDOW;
    }
};

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: book EVENTS\n"), 2;
    Rows<Event> input(argv[1]);
    std::vector<i64> prices;
    for (const Event &e : input.rows)
        if (e.kind == DEPTH) prices.push_back(e.px_ticks);
    if (prices.empty()) return fprintf(stderr, "expected price levels, was none\n"), 3;
    auto middle = prices.begin() + prices.size() / 2;
    std::nth_element(prices.begin(), middle, prices.end());
    const i64 low = std::max<i64>(*middle - WINDOW / 2, 0);
    return serve([&](Watch &watch) {
        Book book;
        Answer answer;
        u64 sum = 0;
        const std::vector<Event> &rows = input.rows;
        watch.start();
        for (size_t begin = 0; begin < rows.size(); begin += BATCH) {
            size_t end = std::min(begin + BATCH, rows.size());
            for (size_t i = begin; i < end; i++) {
                const Event &e = rows[i];
                if (e.kind == DEPTH)
                    book.set(e.side, e.px_ticks - low, e.qty_lots);
                else if (e.kind == CLEAR)
                    book.clear(e.side);
                i64 bid = book.bid < 0 ? NO_BID : book.bid + low;
                i64 ask = book.ask >= WINDOW ? NO_ASK : book.ask + low;
                sum += u64(bid ^ ask);
            }
            watch.lap(i64(end - begin));
        }
        answer.checksum = sum;
        return answer;
    });
}
