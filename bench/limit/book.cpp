// Yardstick of the level-2 book: best prices after every level, price by index in a flat ladder.
//
// The window is laid once, around the middle of all prices of the input, and never moves. What
// kimera pays for a window that follows the market is part of the ratio. An input whose best price
// leaves the window ends the run.
#include "ladder.hpp"

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: book EVENTS\n"), 2;
    Rows<Event> input(argv[1]);
    const std::vector<Event> &rows = input.rows;
    const i64 low = Book::window(rows);
    return serve([&](Watch &watch) {
        Book book(low);
        Answer answer;
        u64 sum = 0;
        watch.start();
        for (size_t begin = 0; begin < rows.size(); begin += BATCH) {
            size_t end = std::min(begin + BATCH, rows.size());
            for (size_t i = begin; i < end; i++) {
                const Event &e = rows[i];
                if (e.kind == DEPTH)
                    book.set(e.side, e.px_ticks, e.qty_lots);
                else if (e.kind == CLEAR)
                    book.clear(e.side);
                sum += u64(book.best_bid() ^ book.best_ask());
            }
            watch.lap(i64(end - begin));
        }
        answer.checksum = sum;
        return answer;
    });
}
