// A level-2 book by price: one side is a window of ticks with a bitmap of the occupied ones.
// Levels beyond the window, on its worse side, are in a std::map.
#pragma once
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
            left = (word & 63) == 63 ? 0 : sums[block] & (~0ull << ((word & 63) + 1));
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
    i64 low;  // price of the window's first cell
    Side bids, asks;
    i64 bid = -1, ask = WINDOW;  // cells
    std::map<i64, i64> far[2];

    // The window lies around the middle of the prices of all levels.
    static i64 window(const std::vector<Event> &events) {
        std::vector<i64> prices;
        for (const Event &e : events)
            if (e.kind == DEPTH) prices.push_back(e.px_ticks);
        if (prices.empty()) {
            fprintf(stderr, "expected price levels, was none\n");
            exit(3);
        }
        auto middle = prices.begin() + prices.size() / 2;
        std::nth_element(prices.begin(), middle, prices.end());
        return std::max<i64>(*middle - WINDOW / 2, 0);
    }
    explicit Book(i64 first) : low(first) {}

    i64 best_bid() const { return bid < 0 ? NO_BID : bid + low; }
    i64 best_ask() const { return ask >= WINDOW ? NO_ASK : ask + low; }

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
    void set(unsigned side, i64 px, i64 lots) {
        i64 t = px - low;
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
    // Lots of the best `levels` levels no further than `near` ticks behind the best.
    i64 depth(unsigned side, int levels, i64 near) const {
        i64 total = 0;
        if (side == BID) {
            for (i64 t = bid, last = bid - near; t >= 0 && t >= last && levels--;
                 t = levels ? bids.down(t - 1) : -1)
                total += bids.lots[t];
        } else {
            for (i64 t = ask, last = ask + near; t < WINDOW && t <= last && levels--;
                 t = levels ? asks.up(t + 1) : WINDOW)
                total += asks.lots[t];
        }
        return total;
    }
};
