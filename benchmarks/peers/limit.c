/* How fast this machine could do it: reading, walking, decoding, tracking and judging, in C, on one thread.
 *
 *     limit CAPTURE INDEX SLOTS [VERDICTS]
 *
 * The states, timeouts and the record of the table are eniwall's: tables.h is made from the modules in conntrack; the
 * hash is written after conntrack/table.py.
 * What it leaves out: sequence windows, retransmissions, fragments, extension headers, VLANs, tunnels, every other
 * protocol, checksums, rules for everything but TCP, UDP and echo, and a packet between two of the interfaces.
 * What makes it fast: reads of 256 KiB into one buffer, and 32 packets decoded, and the lines of the table that they
 * need asked for, before the first of them is looked up. Its table has SLOTS slots, a power of two, from the start: it
 * never grows, and the kernel has cleared its memory before the clock runs ("clearing" says how long that took: on
 * virtual machines it varies most, and a large table can take longer than the packets).
 * INDEX is written by benchmarks/peers/rules_index.py. Prints JSON; VERDICTS gets a byte a packet: 1 allowed, 0
 * denied, 2 not judged. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tables.h" /* Entry, ENTRY_BYTES, the states, FLAG_CLASSES, TRANSITIONS, STATE_TIMEOUTS, UDP_TIMEOUT ... */

enum { BUFFER = 256 << 10, BATCH = 32, FREE = 0, LIVE = 1, SEEN_REPLY = 1, OPENED_BY_B = 4, STREAM = 3 };
enum { DENY = 0, ALLOW = 1, NOT_JUDGED = 2 };
enum { TCP = 6, UDP = 17, ICMP = 1, ICMPV6 = 58 };
_Static_assert(sizeof(Entry) == ENTRY_BYTES, "the record is not laid out as numpy does");

typedef struct { uint64_t hi, lo; } Address;

typedef struct {
    Entry key;
    Address peer;
    uint64_t hash;
    int64_t now;
    uint32_t slot; /* of the index: direction, family, protocol, port */
    uint8_t flags, forward, judged, asks;
} Packet;

static struct { int64_t owners, fits, spans; } counts;
static struct { Address *owners; int64_t *numbers; int32_t *starts, (*fits)[2]; Address (*spans)[2]; } rules;
static Entry *table;
static uint64_t mask, used;

static void die(const char *what) {
    fprintf(stderr, "limit: %s\n", what);
    exit(1);
}

/* --- the index of the rules ------------------------------------------------------------------------------ */
static void *column(FILE *file, size_t bytes) {
    void *found = malloc(bytes + 1);
    if (!found || fread(found, 1, bytes, file) != bytes) die("the index is cut short");
    return found;
}

static void read_rules(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fread(&counts, sizeof counts, 1, file) != 1) die("the index cannot be read");
    rules.owners = column(file, counts.owners * sizeof(Address));
    rules.numbers = column(file, counts.owners * 8);
    rules.starts = column(file, (INDEX_SLOTS + 1) * 4);
    rules.fits = column(file, counts.fits * 8);
    rules.spans = column(file, counts.spans * 32);
    fclose(file);
}

static inline int above(Address a, Address b) { return a.hi != b.hi ? a.hi > b.hi : a.lo > b.lo; }

/* The last place in [low, high) whose address is not above `wanted`, or low - 1. */
#define LAST_NOT_ABOVE(low, high, address_at, wanted)                                                                   \
    while (low < high) {                                                                                                \
        int64_t middle = low + (high - low) / 2;                                                                        \
        if (above(address_at(middle), wanted)) high = middle; else low = middle + 1;                                    \
    }                                                                                                                   \
    low--

#define OWNER_AT(i) rules.owners[i]
#define SPAN_AT(i) rules.spans[i][0]

static inline int64_t owner(Address address) { /* the interface, or -1 */
    int64_t low = 0, high = counts.owners;
    LAST_NOT_ABOVE(low, high, OWNER_AT, address);
    return low >= 0 && !above(address, rules.owners[low]) ? rules.numbers[low] : -1;
}

static int allowed(const Packet *p) {
    for (int64_t at = rules.starts[p->slot]; at < rules.starts[p->slot + 1]; at++) {
        int64_t begin = rules.fits[at][0], low = begin, high = rules.fits[at][1];
        LAST_NOT_ABOVE(low, high, SPAN_AT, p->peer);
        if (low >= begin && !above(p->peer, rules.spans[low][1])) return 1;
    }
    return 0;
}

/* --- the table -------------------------------------------------------------------------------------------- */
static inline int64_t mix(uint64_t address, int64_t port) {
    int64_t word = (int64_t)((uint32_t)address ^ (uint32_t)(address >> 32)) * 0x5BD1E995;
    word ^= port * 0x1B873593CC9E;
    return (word ^ word >> 29) & 0x0FFFFFFFFFFFFFFF;
}

static inline uint64_t key_hash(const Entry *key) {
    int64_t value = mix(key->a_lo, key->a_port) + mix(key->b_lo, key->b_port) + key->protocol;
    if (key->family == 6) value += mix(key->a_hi, 0) ^ mix(key->b_hi, 0);
    return (((value ^ value >> 31) & 0x7FFFFFFF) * 0x2C1B3C6D) >> 16 & 0x7FFFFFFF;
}

static inline Entry *find(const Entry *key, uint64_t hash) {
    for (uint64_t slot = hash & mask;; slot = (slot + 1) & mask) {
        Entry *e = table + slot;
        if (e->use == FREE || (e->a_lo == key->a_lo && e->b_lo == key->b_lo && e->a_port == key->a_port &&
                               e->b_port == key->b_port && e->protocol == key->protocol && e->eni == key->eni &&
                               e->family == key->family && e->a_hi == key->a_hi && e->b_hi == key->b_hi))
            return e;
    }
}

static double now_in_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static Entry *slots(uint64_t capacity) { /* zeroed, at the start of a page, in large pages where there are any */
    void *found = mmap(NULL, capacity * sizeof(Entry), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) die("no memory for the table");
#ifdef MADV_HUGEPAGE
    madvise(found, capacity * sizeof(Entry), MADV_HUGEPAGE);
#endif
    return found;
}

/* --- tracking ----------------------------------------------------------------------------------------------- */
static inline int64_t idle(const Entry *e) {
    if (e->protocol == TCP) return STATE_TIMEOUTS[e->state];
    if (e->protocol == UDP) return e->state == STREAM ? UDP_STREAM_TIMEOUT : UDP_TIMEOUT;
    return ICMP_TIMEOUT;
}

static int opens(const Packet *p, Entry *e) {
    uint8_t state = 0;
    if (p->key.protocol == TCP) {
        uint8_t class = FLAG_CLASSES[p->flags];
        state = class == BAD_FLAGS ? INVALID : TRANSITIONS[0][class][NONE];
        if (state == INVALID) return DENY;
    } else if (p->key.protocol != UDP && !p->asks) return DENY;
    if (!allowed(p)) return DENY;
    used += e->use == FREE;
    *e = p->key;
    e->use = LIVE;
    e->state = state;
    e->status = p->forward ? 0 : OPENED_BY_B;
    e->expires = p->now + idle(e);
    return ALLOW;
}

static inline int judge(const Packet *p) {
    if (!p->judged) return NOT_JUDGED;
    Entry *e = find(&p->key, p->hash);
    if (e->use != LIVE || e->expires <= p->now) return opens(p, e);
    int reply = p->forward == (e->status & OPENED_BY_B ? 1 : 0);
    if (p->key.protocol == TCP) {
        uint8_t class = FLAG_CLASSES[p->flags], to = class == BAD_FLAGS ? INVALID : TRANSITIONS[reply][class][e->state];
        if (to == SYN_SENT && (e->state == TIME_WAIT || e->state == CLOSE)) return opens(p, e);
        if (to == INVALID) return DENY;
        if (to == IGNORE) return ALLOW;
        e->state = to;
    } else if (p->key.protocol == UDP && e->state < STREAM && reply == !(e->state & 1)) e->state++;
    e->status |= reply ? SEEN_REPLY : 0;
    e->expires = p->now + idle(e);
    return ALLOW;
}

/* --- decoding ------------------------------------------------------------------------------------------------ */
static inline uint32_t be16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static inline uint32_t be32(const uint8_t *at) { uint32_t x; memcpy(&x, at, 4); return __builtin_bswap32(x); }
static inline uint64_t be64(const uint8_t *at) { uint64_t x; memcpy(&x, at, 8); return __builtin_bswap64(x); }

static inline void decode(Packet *p, const uint8_t *frame, uint32_t caplen) {
    const uint8_t *ip = frame + 14, *there;
    Address src, dst;
    int v6;
    p->judged = 0;
    if (caplen < 14 + 20 + 8) return;
    if (frame[12] == 0x08 && frame[13] == 0x00) {
        v6 = 0;
        there = ip + (ip[0] & 15) * 4;
        p->key.protocol = ip[9];
        src = (Address){0, 0xffff00000000 | be32(ip + 12)};
        dst = (Address){0, 0xffff00000000 | be32(ip + 16)};
    } else if (frame[12] == 0x86 && frame[13] == 0xdd && caplen >= 14 + 40 + 8) {
        v6 = 1;
        there = ip + 40;
        p->key.protocol = ip[6];
        src = (Address){be64(ip + 8), be64(ip + 16)};
        dst = (Address){be64(ip + 24), be64(ip + 32)};
    } else return;
    int kind = p->key.protocol == TCP ? 0 : p->key.protocol == UDP ? 1 : p->key.protocol == (v6 ? ICMPV6 : ICMP) ? 2 + v6 : -1;
    if (kind < 0 || there + (kind ? 8 : 20) > frame + caplen) return;
    int64_t sender = owner(src), eni = sender >= 0 ? sender : owner(dst);
    if (eni < 0) return;
    uint32_t sport = be16(there), dport = be16(there + 2), port = dport;
    if (kind >= 2) { /* an echo: the asker's end is the first, its type and code are its port */
        p->asks = there[0] == (v6 ? 128 : 8);
        port = be16(there);
        sport = dport = (v6 ? 128 : 8) << 8 | there[1];
        p->forward = p->asks;
    } else p->forward = src.hi != dst.hi ? src.hi < dst.hi : src.lo != dst.lo ? src.lo < dst.lo : sport <= dport;
    Address a = p->forward ? src : dst, b = p->forward ? dst : src;
    p->key.a_hi = a.hi, p->key.a_lo = a.lo, p->key.b_hi = b.hi, p->key.b_lo = b.lo;
    p->key.a_port = p->forward ? sport : dport;
    p->key.b_port = kind >= 2 ? be16(there + 4) : p->forward ? dport : sport;
    p->key.family = v6 ? 6 : 4;
    p->key.eni = eni;
    p->flags = kind ? 0 : there[13];
    p->peer = sender >= 0 ? dst : src;
    p->slot = (((sender >= 0) * 2 + v6) * 4 + kind) << 16 | port;
    p->hash = key_hash(&p->key);
    p->judged = 1;
    __builtin_prefetch(table + (p->hash & mask), 1);
    __builtin_prefetch((char *)(table + (p->hash & mask)) + 64, 1);
}

/* --- reading --------------------------------------------------------------------------------------------------- */
static uint8_t buffer[BUFFER + BUFFER]; /* what is left of a read, and the next one behind it */

int main(int arguments, char **words) {
    if (arguments < 4) die("CAPTURE INDEX SLOTS [VERDICTS]");
    read_rules(words[2]);
    FILE *out = arguments > 4 ? fopen(words[4], "wb") : NULL;
    static Packet batch[BATCH];
    uint8_t verdicts[BATCH];
    uint64_t told[3] = {0, 0, 0};
    int64_t clock = INT64_MIN;
    mask = strtoull(words[3], NULL, 10) - 1;
    double asked = now_in_seconds();
    table = slots(mask + 1);
    memset(table, 0, (mask + 1) * sizeof(Entry));
    double begin = now_in_seconds();
    int file = open(words[1], O_RDONLY);
    uint32_t head[6];
    if (file < 0 || read(file, head, 24) != 24 || head[0] != 0xa1b2c3d4 || head[5] != 1)
        die("CAPTURE must be a pcap of Ethernet, in microseconds and this machine's byte order");
    size_t left = 0;
    for (ssize_t got; (got = read(file, buffer + left, BUFFER)) > 0;) {
        uint8_t *at = buffer, *stop = buffer + left + got;
        for (int filled = 1; filled;) {
            if (used + BATCH > mask) die("more connections than slots");
            filled = 0;
            while (filled < BATCH && stop - at >= 16) {
                uint32_t record[4];
                memcpy(record, at, 16);
                if (record[2] > BUFFER - 16) die("a packet is longer than the buffer");
                if (stop - at < (ptrdiff_t)(16 + record[2])) break;
                Packet *p = batch + filled++;
                int64_t now = record[0] * 1000000000ll + record[1] * 1000ll;
                p->now = clock = now > clock ? now : clock;
                decode(p, at + 16, record[2]);
                at += 16 + record[2];
            }
            for (int i = 0; i < filled; i++) told[verdicts[i] = judge(batch + i)]++;
            if (out && filled) fwrite(verdicts, 1, filled, out);
        }
        left = stop - at;
        memmove(buffer, at, left);
    }
    double end = now_in_seconds();
    if (out && fclose(out)) die("the verdicts cannot be written");
    printf("{\"seconds\": %.9f, \"packets\": %llu, \"allowed\": %llu, \"clearing\": %.3f}\n", end - begin,
           (unsigned long long)(told[0] + told[1] + told[2]), (unsigned long long)told[ALLOW], begin - asked);
    return 0;
}
