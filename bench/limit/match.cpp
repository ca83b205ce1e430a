// Yardstick of the matching engine: price-time priority with every kind of request.
//
//   match REQUESTS OPENING      the first OPENING rows are run before the watch starts
//
// The same rules as kernels/match.py (market, IOC, FOK, post-only, cancel, amend, four modes of
// self-trade prevention), the same ids and the same reports, with pointers and branches as C++
// likes them. The checksum covers every answer's code and id, what was traded, and the best prices at the end.
#include "limit.hpp"

struct Request {  // kernels/match.py MATCH_REQUEST
    i64 kind, order_id, account, side, type, tif, stp, px, qty;
};
static_assert(sizeof(Request) == 72, "MATCH_REQUEST");

constexpr int BAND_BITS = 20, CAPACITY_BITS = 17;
constexpr i64 BAND = 1 << BAND_BITS, CAPACITY = 1 << CAPACITY_BITS, BASE = 500000;
constexpr i64 LIMIT = 0, MARKET = 1, GTC = 0, FOK = 2, POST_ONLY = 3;
enum { OK, POST, UNFILLED, EXPIRED, UNKNOWN, SELF, NO_LIQUIDITY = 7, OUT_OF_BAND = 9, FULL, BAD };
enum { STP_NONE, NEWEST, OLDEST, BOTH, DECREMENT };
enum { TRADED = 1, CANCELLED, DECREMENTED };

struct Order {
    i64 id, account, left, px, priority;
    int32_t prev, next, side;
    int16_t tif, stp;
};
struct Level {
    i64 qty;
    int32_t head, tail;
};
struct Report {
    i64 kind, maker, account, left, priority, px, qty, level;
};

struct Side {
    std::vector<Level> levels = std::vector<Level>(BAND);
    u64 words[BAND >> 6] = {}, sums[BAND >> 12] = {}, tops[BAND >> 18] = {};

    void mark(i64 c) {
        words[c >> 6] |= 1ull << (c & 63);
        sums[c >> 12] |= 1ull << (c >> 6 & 63);
        tops[c >> 18] |= 1ull << (c >> 12 & 63);
    }
    void unmark(i64 c) {
        if (words[c >> 6] &= ~(1ull << (c & 63))) return;
        if (sums[c >> 12] &= ~(1ull << (c >> 6 & 63))) return;
        tops[c >> 18] &= ~(1ull << (c >> 12 & 63));
    }
    static u64 up_to(i64 bit) { return ~0ull >> (63 - (bit & 63)); }
    static u64 from(i64 bit) { return ~0ull << (bit & 63); }
    i64 below(i64 c) const {  // highest occupied cell at or below c, or -1
        if (c < 0) return -1;
        if (u64 left = words[c >> 6] & up_to(c)) return (c | 63) - __builtin_clzll(left);
        i64 w = (c >> 6) - 1;
        if (w < 0) return -1;
        u64 left = sums[w >> 6] & up_to(w);
        if (!left) {
            i64 s = (w >> 6) - 1;
            if (s < 0) return -1;
            i64 t = s >> 6;
            left = tops[t] & up_to(s);
            while (!left) {
                if (--t < 0) return -1;
                left = tops[t];
            }
            s = t * 64 + 63 - __builtin_clzll(left);
            w = s * 64;
            left = sums[s];
        }
        w = (w | 63) - __builtin_clzll(left);
        return w * 64 + 63 - __builtin_clzll(words[w]);
    }
    i64 above(i64 c) const {  // lowest occupied cell at or above c, or BAND
        if (c >= BAND) return BAND;
        if (u64 left = words[c >> 6] & from(c)) return (c & ~63) + __builtin_ctzll(left);
        i64 w = (c >> 6) + 1;
        if (w >= BAND >> 6) return BAND;
        u64 left = sums[w >> 6] & from(w);
        if (!left) {
            i64 s = (w >> 6) + 1;
            if (s >= BAND >> 12) return BAND;
            i64 t = s >> 6;
            left = tops[t] & from(s);
            while (!left) {
                if (++t >= BAND >> 18) return BAND;
                left = tops[t];
            }
            s = t * 64 + __builtin_ctzll(left);
            w = s * 64;
            left = sums[s];
        }
        w = (w & ~63) + __builtin_ctzll(left);
        return w * 64 + __builtin_ctzll(words[w]);
    }
};

struct Engine {
    Side sides[2];
    std::vector<Order> orders = std::vector<Order>(CAPACITY);
    std::vector<Report> reports = std::vector<Report>(CAPACITY);
    i64 best[2] = {NO_BID, NO_ASK};
    i64 free_ = 0, used = 0, arrivals = 0, ids = 0, trades = 0, traded = 0;
    i64 id = 0, filled = 0, left = 0, gone = 0, n_reports = 0;

    static bool in_band(i64 px) { return u64(px - BASE) < u64(BAND); }
    static bool reaches(i64 side, i64 limit, i64 px) {
        if (px == NO_BID || px == NO_ASK) return false;
        return side == BID ? px <= limit : px >= limit;
    }
    Level &level(i64 side, i64 px) { return sides[side].levels[px - BASE]; }
    i64 next_price(i64 side, i64 px) const {
        if (side == BID) {
            i64 c = sides[BID].below(px - BASE);
            return c < 0 ? NO_BID : BASE + c;
        }
        i64 c = sides[ASK].above(px - BASE);
        return c >= BAND ? NO_ASK : BASE + c;
    }
    void enter(i64 place) {
        Order &o = orders[place];
        Level &l = level(o.side, o.px);
        o.priority = ++arrivals;
        o.prev = l.tail;
        o.next = 0;
        if (l.tail) {
            orders[l.tail].next = int32_t(place);
        } else {
            l.head = int32_t(place);
            sides[o.side].mark(o.px - BASE);
            if (o.side == BID ? o.px > best[BID] : o.px < best[ASK]) best[o.side] = o.px;
        }
        l.tail = int32_t(place);
        l.qty += o.left;
    }
    void leave(i64 place) {
        Order &o = orders[place];
        Level &l = level(o.side, o.px);
        (o.prev ? orders[o.prev].next : l.head) = o.next;
        (o.next ? orders[o.next].prev : l.tail) = o.prev;
        l.qty -= o.left;
        if (!l.head) {
            sides[o.side].unmark(o.px - BASE);
            if (o.px == best[o.side]) best[o.side] = next_price(o.side, o.px);
        }
    }
    void release(i64 place) {
        orders[place].id = 0;
        orders[place].next = int32_t(free_);
        free_ = place;
    }
    i64 take() {
        i64 place = free_;
        if (!place) return ++used;
        free_ = orders[place].next;
        return place;
    }
    i64 find(i64 order_id, i64 account) const {
        if (order_id <= 0) return 0;
        i64 place = order_id & (CAPACITY - 1);
        const Order &o = orders[place];
        return o.id == order_id && (!account || o.account == account) ? place : 0;
    }
    void report(i64 kind, i64 place, i64 lots) {
        const Order &o = orders[place];
        reports[n_reports++] = {kind,       o.id, o.account, o.left - lots,
                                o.priority, o.px, lots,      level(o.side, o.px).qty - lots};
    }
    void reduce(i64 place, i64 lots) {
        Order &o = orders[place];
        if (lots >= o.left) {
            leave(place);
            release(place);
        } else {
            o.left -= lots;
            level(o.side, o.px).qty -= lots;
        }
    }
    i64 fillable(i64 account, i64 side, i64 limit, i64 qty, i64 stp) {
        i64 other = 1 - side, found = 0, px = best[other];
        while (found < qty && reaches(side, limit, px)) {
            const Level &l = level(other, px);
            if (!account || stp == STP_NONE) {
                found += l.qty;
            } else {
                for (i64 at = l.head; at && found < qty; at = orders[at].next) {
                    if (orders[at].account != account)
                        found += orders[at].left;
                    else if (stp != OLDEST)
                        return found;
                }
            }
            i64 worse = other == BID ? px - 1 : px + 1;
            if (!in_band(worse)) break;
            px = next_price(other, worse);
        }
        return std::min(found, qty);
    }
    i64 prevent(i64 place, i64 rest, i64 stp) {
        i64 resting = orders[place].left;
        if (stp == DECREMENT) {
            i64 lots = std::min(rest, resting);
            report(DECREMENTED, place, lots);
            reduce(place, lots);
            gone += lots;
            return rest - lots;
        }
        if (stp != NEWEST) {
            report(CANCELLED, place, resting);
            reduce(place, resting);
        }
        if (stp == OLDEST) return rest;
        gone += rest;
        return 0;
    }
    i64 match(i64 account, i64 side, i64 limit, i64 rest, i64 stp) {
        i64 other = 1 - side;
        while (rest > 0) {
            i64 px = best[other];
            if (!reaches(side, limit, px)) break;
            i64 place = level(other, px).head;
            const Order &o = orders[place];
            if (stp != STP_NONE && account && o.account == account) {
                rest = prevent(place, rest, stp);
                continue;
            }
            i64 lots = std::min(rest, o.left);
            report(TRADED, place, lots);
            reduce(place, lots);
            rest -= lots;
            filled += lots;
            traded += lots;
            trades++;
        }
        return rest;
    }
    i64 refuse(i64 qty, i64 code) {
        gone = std::max<i64>(qty, 0);
        return code;
    }
    void begin(i64 order_id) { id = order_id, filled = left = gone = n_reports = 0; }
    i64 submit(const Request &r) {
        begin(0);
        bool limited = r.type == LIMIT;
        if (u64(r.side) > 1 || !(limited || (r.type == MARKET && r.tif != POST_ONLY)) ||
            r.qty <= 0 || r.tif < GTC || r.tif > POST_ONLY || r.stp < 0 || r.stp > DECREMENT)
            return refuse(r.qty, BAD);
        if (limited && !in_band(r.px)) return refuse(r.qty, OUT_OF_BAND);
        bool rests = limited && (r.tif == GTC || r.tif == POST_ONLY);
        if (rests && !free_ && used + 1 >= CAPACITY) return refuse(r.qty, FULL);
        i64 limit = limited ? r.px : r.side == BID ? BASE + BAND : BASE;
        if (r.tif == POST_ONLY && reaches(r.side, limit, best[1 - r.side]))
            return refuse(r.qty, POST);
        if (r.tif == FOK && fillable(r.account, r.side, limit, r.qty, r.stp) < r.qty)
            return refuse(r.qty, UNFILLED);
        i64 place = rests ? take() : 0;
        id = (++ids << CAPACITY_BITS) | place;
        if (place) orders[place].id = id;
        i64 rest = match(r.account, r.side, limit, r.qty, r.stp);
        if (rests) {
            if (rest > 0) {
                Order &o = orders[place];
                o.account = r.account, o.side = int32_t(r.side), o.px = r.px, o.left = rest;
                o.tif = int16_t(r.tif), o.stp = int16_t(r.stp);
                enter(place);
                left = rest;
                return OK;
            }
            release(place);
        }
        bool prevented = gone > 0;
        gone += rest;
        if (rest > 0) return r.type == MARKET ? NO_LIQUIDITY : EXPIRED;
        return prevented ? SELF : OK;
    }
    i64 cancel(const Request &r) {
        begin(r.order_id);
        i64 place = find(r.order_id, r.account);
        if (!place) return UNKNOWN;
        gone = orders[place].left;
        reduce(place, gone);
        return OK;
    }
    i64 amend(const Request &r) {
        begin(r.order_id);
        i64 place = find(r.order_id, r.account);
        if (!place) return UNKNOWN;
        Order &o = orders[place];
        left = o.left;
        if (r.qty <= 0) return BAD;
        if (!in_band(r.px)) return OUT_OF_BAND;
        if (r.px == o.px && r.qty <= o.left) {
            reduce(place, o.left - r.qty);
            left = r.qty;
            return OK;
        }
        if (o.tif == POST_ONLY && reaches(o.side, r.px, best[1 - o.side])) return POST;
        leave(place);
        left = match(o.account, o.side, r.px, r.qty, o.stp);
        if (left > 0) {
            o.px = r.px;
            o.left = left;
            enter(place);
            return OK;
        }
        release(place);
        return gone > 0 ? SELF : OK;
    }
    i64 take_request(const Request &r) {
        return r.kind == 1 ? submit(r) : r.kind == 2 ? cancel(r) : amend(r);
    }
};

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: match REQUESTS OPENING\n"), 2;
    Rows<Request> input(argv[1]);
    const size_t opening = size_t(atoll(argv[2])), n = input.rows.size();
    std::vector<i64> codes(n), ids(n);
    return serve([&](Watch &watch) {
        auto engine = std::make_unique<Engine>();
        auto run = [&](size_t begin, size_t end) {
            for (size_t i = begin; i < end; i++) {
                codes[i] = engine->take_request(input.rows[i]);
                ids[i] = engine->id;
            }
        };
        run(0, std::min(opening, n));
        watch.start();
        for (size_t begin = opening; begin < n; begin += BATCH) {
            size_t end = std::min(begin + BATCH, n);
            run(begin, end);
            watch.lap(i64(end - begin));
        }
        Answer answer;
        for (size_t i = 0; i < n; i++) answer.checksum = mix(mix(answer.checksum, codes[i]), ids[i]);
        answer.checksum = mix(mix(answer.checksum, engine->trades), engine->traded);
        answer.checksum = mix(mix(answer.checksum, engine->best[BID]), engine->best[ASK]);
        return answer;
    });
}
