/* What merging.py, diversion.py and cutting.py say, several times as fast: forward(), pull(), cut(),
 * nothing else.
 *
 * Limited API of Python 3.11, no library but C's. Every read and write is inside a buffer whose size
 * was compared before; all sizes are size_t and below 2^17. Numbers of the network are read and
 * written byte by byte; sums of checksums are kept in the order of the machine's memory, in which
 * they can be added as well (RFC 1071 2(B)).
 *
 * Python's lock stays held: the descriptors do not block, and whoever waits for the lock meanwhile
 * would not give it back for milliseconds.
 */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    OVERHEAD = 8,         /* the SSTP header and the PPP header */
    MAX_PACKET = 4095,    /* of SSTP */
    MOST = 64,            /* segments put together */
    LARGEST = 65535,      /* bytes of IP put together */
    LONGEST = 40 + 65535, /* bytes of IPv6: its length does not count its header */
    FLOWS = 32,           /* of which something waits for more */
    DIVERTED = 8,         /* packets in one turn */
};

enum { TCP = 6, UDP = 17, ICMPV6 = 58 };
enum { DHCP_SERVER = 67, DHCPV6_SERVER = 547 };
enum { ROUTER_SOLICITATION = 133, NEIGHBOR_SOLICITATION = 135 };
enum { MULTICAST_V4 = 0xe0, RESERVED_V4 = 0xf0, LINK_V6 = 0xfe };
enum { FIN = 0x01, PSH = 0x08, ACK = 0x10, CWR = 0x80 };
enum { OFFLOAD_TCP = 0x01, OFFLOAD_UDP = 0x02 };
enum { NEEDS_CHECKSUM = 0x01 };
enum { GSO_NONE = 0, GSO_TCPV4 = 1, GSO_TCPV6 = 4, GSO_UDP = 5, GSO_ECN = 0x80 };

/* linux/virtio_net.h, in the byte order of the machine */
struct vnet {
    uint8_t flags, kind;
    uint16_t headers, size, start, offset;
};
_Static_assert(sizeof(struct vnet) == 10, "struct virtio_net_hdr has ten bytes");

static const uint8_t IPV4_HEAD[] = {0xff, 0x03, 0x00, 0x21}, IPV6_HEAD[] = {0xff, 0x03, 0x00, 0x57};

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }

static void put16(uint8_t *at, size_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

/* RFC 1071: add bytes to a sum; all parts but the last are of even size */
static uint64_t add(uint64_t sum, const uint8_t *data, size_t size) {
    uint64_t word;
    for (; size >= sizeof word; data += sizeof word, size -= sizeof word) {
        memcpy(&word, data, sizeof word);
        sum += (word & 0xffffffff) + (word >> 32);
    }
    word = 0;
    memcpy(&word, data, size);
    return sum + (word & 0xffffffff) + (word >> 32);
}

static uint64_t add16(uint64_t sum, size_t value) {
    uint8_t bytes[2];
    put16(bytes, value);
    return add(sum, bytes, sizeof bytes);
}

static uint16_t fold(uint64_t sum) {
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void put_sum(uint8_t *at, uint16_t sum) { memcpy(at, &sum, sizeof sum); }

static bool is_right(uint64_t sum) { return fold(sum) == 0xffff; }

static uint64_t pseudo_header(const uint8_t *ip, uint8_t protocol, size_t size) {
    uint64_t sum = ip[0] >> 4 == 4 ? add(0, ip + 12, 8) : add(0, ip + 8, 32);
    return add16(sum, protocol + size);
}

/* From the client */

struct flow {
    uint8_t size, key[1 + 32 + 1 + 4];
};

struct segment {
    const uint8_t *packet;
    size_t size, headers, start; /* of the packet, of all headers, of the IP header */
    uint8_t kind;
    uint32_t sequence;
    int32_t identification; /* -1 where it has no meaning */
    bool last;
};

struct group {
    struct flow flow;
    struct segment first;
    size_t size, total, count;
    bool pushed;
    struct iovec parts[2 + MOST]; /* the headers of virtio and IP, payloads */
};

struct merging {
    int tun;
    int offload;
    size_t written, count;
    struct group *order[FLOWS]; /* the groups in use, the oldest first */
    struct group *spare[FLOWS];
    struct group groups[FLOWS];
};

static void find_flow(struct flow *flow, const uint8_t *packet, size_t size) {
    bool six = packet[0] >> 4 == 6;
    const uint8_t *protocol = packet + (six ? 6 : 9), *ports = packet + (six ? 40 : 20);
    size_t addresses = six ? 32 : 8;
    bool whole = six || (packet[0] == 0x45 && !(packet[6] & 0x3f) && !packet[7]);
    uint8_t *end = flow->key;
    *end++ = packet[0] >> 4;
    memcpy(end, packet + (six ? 8 : 12), addresses);
    end += addresses;
    if (whole && (*protocol == TCP || *protocol == UDP)) {
        size_t there = size - (size_t)(ports - packet);
        *end++ = *protocol;
        there = there < 4 ? there : 4;
        memcpy(end, ports, there);
        end += there;
    }
    flow->size = (uint8_t)(end - flow->key);
}

static bool read_segment(struct segment *segment, const uint8_t *packet, size_t size,
                         int offload) {
    bool six = packet[0] >> 4 == 6;
    size_t start = six ? 40 : 20, headers;
    const uint8_t *transport = packet + start;
    uint8_t protocol = packet[six ? 6 : 9];
    *segment = (struct segment){.packet = packet, .size = size, .start = start, .identification = -1};
    if (six) {
        if (get16(packet + 4) != size - 40)
            return false;
    } else {
        uint16_t fragment = get16(packet + 6);
        if (packet[0] != 0x45 || get16(packet + 2) != size || (fragment & 0xbfff) ||
            !is_right(add(0, packet, 20)))
            return false;
        if (!fragment)
            segment->identification = get16(packet + 4);
    }
    if (protocol == TCP && (offload & OFFLOAD_TCP) && size >= start + 20) {
        headers = start + (size_t)(transport[12] >> 4) * 4;
        if ((transport[12] & 0x0f) || headers < start + 20 || headers >= size ||
            (transport[13] & ~PSH) != ACK)
            return false;
        segment->kind = six ? GSO_TCPV6 : GSO_TCPV4;
        segment->sequence = get32(transport + 4);
        segment->last = transport[13] & PSH;
    } else if (protocol == UDP && (offload & OFFLOAD_UDP) && size > start + 8) {
        headers = start + 8;
        if (get16(transport + 4) != size - start || !get16(transport + 6))
            return false;
        segment->kind = GSO_UDP;
    } else {
        return false;
    }
    segment->headers = headers;
    return is_right(add(pseudo_header(packet, protocol, size - start), transport, size - start));
}

/* Whether two segments of one flow have all in common that cutting would give both. */
static bool are_alike(const struct segment *one, const struct segment *other) {
    const uint8_t *a = one->packet, *b = other->packet;
    size_t start = one->start;
    if (one->kind != other->kind || one->headers != other->headers)
        return false;
    if (start == 40) {
        if (memcmp(a, b, 4) || a[7] != b[7])
            return false;
    } else if (a[1] != b[1] || memcmp(a + 6, b + 6, 3)) {
        return false;
    }
    if (one->kind == GSO_UDP)
        return true;
    a += start;
    b += start;
    /* acknowledgment and offset; window; urgent pointer and options */
    return !memcmp(a + 8, b + 8, 5) && !memcmp(a + 14, b + 14, 2) &&
           !memcmp(a + 18, b + 18, one->headers - start - 18);
}

static bool takes(const struct group *group, const struct segment *segment) {
    const struct segment *first = &group->first;
    size_t size = segment->size - segment->headers;
    return are_alike(first, segment) && size <= group->size && group->total + size <= LARGEST &&
           (first->kind == GSO_UDP ||
            segment->sequence == (uint32_t)(first->sequence + group->count * group->size)) &&
           (first->identification < 0 ||
            segment->identification ==
                (int32_t)(((size_t)first->identification + group->count) & 0xffff));
}

static void give(struct merging *merging, const struct iovec *parts, size_t count) {
    ssize_t written = writev(merging->tun, parts, (int)count);
    /* the interface is down, or its queue is full: IP may lose packets */
    if (written > (ssize_t)sizeof(struct vnet))
        merging->written += (size_t)written - sizeof(struct vnet);
}

static void give_plain(struct merging *merging, const uint8_t *packet, size_t size) {
    static const struct vnet plain;
    struct iovec parts[] = {{(void *)&plain, sizeof plain}, {(void *)packet, size}};
    give(merging, parts, 2);
}

static void give_large(struct merging *merging, struct group *group) {
    const struct segment *first = &group->first;
    size_t start = first->start, total = group->total;
    uint8_t headers[40 + 60];
    memcpy(headers, first->packet, first->headers);
    if (start == 20) {
        put16(headers + 2, total);
        put16(headers + 10, 0);
        put_sum(headers + 10, (uint16_t)~fold(add(0, headers, 20)));
    } else {
        put16(headers + 4, total - 40);
    }
    uint8_t protocol = first->kind == GSO_UDP ? UDP : TCP;
    struct vnet vnet = {NEEDS_CHECKSUM, first->kind, (uint16_t)first->headers, (uint16_t)group->size,
                        (uint16_t)start, protocol == UDP ? 6 : 16};
    if (protocol == UDP)
        put16(headers + start + 4, total - start);
    else if (group->pushed)
        headers[start + 13] |= PSH;
    /* the sum of the pseudo header alone; the kernel, or a card, does the rest */
    put_sum(headers + start + vnet.offset, fold(pseudo_header(headers, protocol, total - start)));
    group->parts[0] = (struct iovec){&vnet, sizeof vnet};
    group->parts[1] = (struct iovec){headers, first->headers};
    give(merging, group->parts, 2 + group->count);
}

/* Write the group at this place, and have it no more. */
static void finish(struct merging *merging, size_t place) {
    struct group *group = merging->order[place];
    if (group->count == 1)
        give_plain(merging, group->first.packet, group->first.size);
    else
        give_large(merging, group);
    merging->count--;
    memmove(merging->order + place, merging->order + place + 1,
            (merging->count - place) * sizeof *merging->order);
    merging->spare[merging->count] = group;
}

static void finish_flow(struct merging *merging, const struct flow *flow) {
    size_t place = 0;
    while (place < merging->count) {
        const struct flow *other = &merging->order[place]->flow;
        if (other->size >= flow->size && !memcmp(other->key, flow->key, flow->size))
            finish(merging, place);
        else
            place++;
    }
}

static void add_payload(struct group *group, const struct segment *segment) {
    size_t size = segment->size - segment->headers;
    group->parts[2 + group->count] =
        (struct iovec){(void *)(segment->packet + segment->headers), size};
    group->count++;
    group->total += size;
    group->pushed = segment->last;
}

static void begin(struct merging *merging, const struct flow *flow, const struct segment *first) {
    if (merging->count == FLOWS)
        finish(merging, 0);
    struct group *group = merging->spare[merging->count];
    merging->order[merging->count++] = group;
    group->flow = *flow;
    group->first = *first;
    group->size = first->size - first->headers;
    group->total = first->headers;
    group->count = 0;
    add_payload(group, first);
}

static size_t find(const struct merging *merging, const struct flow *flow) {
    size_t place = 0;
    while (place < merging->count && (merging->order[place]->flow.size != flow->size ||
                                      memcmp(merging->order[place]->flow.key, flow->key, flow->size)))
        place++;
    return place;
}

static void merge(struct merging *merging, const uint8_t *packet, size_t size) {
    struct flow flow;
    struct segment segment;
    if (!merging->offload) {
        give_plain(merging, packet, size);
        return;
    }
    find_flow(&flow, packet, size);
    bool one_of_several = read_segment(&segment, packet, size, merging->offload);
    if (one_of_several) {
        size_t place = find(merging, &flow);
        if (place < merging->count && takes(merging->order[place], &segment)) {
            struct group *group = merging->order[place];
            add_payload(group, &segment);
            if (segment.last || segment.size - segment.headers < group->size || group->count == MOST)
                finish(merging, place);
            return;
        }
    }
    finish_flow(merging, &flow);
    if (one_of_several && !segment.last)
        begin(merging, &flow, &segment);
    else
        give_plain(merging, packet, size);
}

/* What does not go to the TUN: see diversion.py. Without a server, all does. */
struct diversion {
    const uint8_t *server;
    bool multicast;
    PyObject *packets;
};

static bool divert(struct diversion *diversion, const uint8_t *packet, size_t size) {
    if (PyList_Size(diversion->packets) < DIVERTED) {
        PyObject *copy = PyBytes_FromStringAndSize((const char *)packet, (Py_ssize_t)size);
        /* without memory it is lost, as any packet may be */
        if (copy == NULL || PyList_Append(diversion->packets, copy))
            PyErr_Clear();
        Py_XDECREF(copy);
    }
    return false;
}

static bool is_dhcp(const uint8_t *packet, size_t size) {
    size_t start = (size_t)(packet[0] & 0x0f) * 4;
    return packet[9] == UDP && !(packet[6] & 0x3f) && !packet[7] && start >= 20 &&
           start + 8 <= size && get16(packet + start + 2) == DHCP_SERVER;
}

/* Whether it passes; its source is right. */
static bool passes_v4(struct diversion *diversion, const uint8_t *packet, size_t size) {
    static const uint8_t everybody[] = {0xff, 0xff, 0xff, 0xff};
    const uint8_t *target = packet + 16;
    bool broadcast = !memcmp(target, everybody, 4);
    if ((broadcast || !memcmp(target, diversion->server, 4)) && is_dhcp(packet, size))
        return divert(diversion, packet, size);
    return diversion->multicast ||
           !(broadcast || (target[0] >= MULTICAST_V4 && target[0] < RESERVED_V4));
}

static bool asks_on_link(const uint8_t *packet, size_t size) {
    const uint8_t *target = packet + 24;
    bool on_link = (target[0] == 0xff && target[1] == 0x02) ||
                   (target[0] == LINK_V6 && target[1] >> 6 == 2);
    if (!on_link || size < 48)
        return false;
    if (packet[6] == ICMPV6)
        return packet[40] == ROUTER_SOLICITATION || packet[40] == NEIGHBOR_SOLICITATION;
    return packet[6] == UDP && get16(packet + 42) == DHCPV6_SERVER;
}

static bool passes_v6(struct diversion *diversion, const uint8_t *packet, size_t size) {
    if (asks_on_link(packet, size))
        return divert(diversion, packet, size);
    return diversion->multicast || packet[24] == LINK_V6;
}

/* What is behind the client: for each network its address and its mask, of 4 or of 16 bytes. */
struct networks {
    const uint8_t *data;
    size_t size;
};

static bool is_in(const struct networks *networks, const uint8_t *address, size_t width) {
    for (size_t place = 0; place < networks->size; place += 2 * width) {
        const uint8_t *network = networks->data + place, *mask = network + width;
        size_t same = 0;
        while (same < width && (address[same] & mask[same]) == network[same])
            same++;
        if (same == width)
            return true;
    }
    return false;
}

/* Where packets may come from: without an address, those of IPv4 from anywhere. */
struct sources {
    const uint8_t *address;
    size_t size; /* 4, and what there is of a prefix of IPv6 */
    struct networks v4, v6;
};

static bool is_ours_v4(const struct sources *sources, const uint8_t *sender) {
    return !sources->address || !memcmp(sender, sources->address, 4) || is_in(&sources->v4, sender, 4);
}

static bool is_ours_v6(const struct sources *sources, const uint8_t *sender) {
    return !memcmp(sender, sources->address + 4, sources->size - 4) || is_in(&sources->v6, sender, 16);
}

/* Merge what begins data[position:end]; return where it stopped. */
static size_t forward_all(struct merging *merging, struct diversion *diversion, const uint8_t *data,
                          size_t position, size_t end, const struct sources *sources) {
    const struct flow any = {.size = 0};
    const uint8_t *server = diversion->server;
    while (end - position >= OVERHEAD + 20) {
        const uint8_t *head = data + position, *packet = head + OVERHEAD;
        size_t length = get16(head + 2), size = length - OVERHEAD;
        if (get16(head) != 0x1000 || length < OVERHEAD + 20 || length > MAX_PACKET ||
            length > end - position)
            break;
        bool ours;
        /* the TUN would take IPv6 as well, where this is no source address */
        if (!memcmp(head + 4, IPV4_HEAD, 4)) {
            ours = packet[0] >> 4 == 4 && is_ours_v4(sources, packet + 12);
            if (ours && server && (packet[16] >= MULTICAST_V4 || !memcmp(packet + 16, server, 4)))
                ours = passes_v4(diversion, packet, size);
        } else if (!memcmp(head + 4, IPV6_HEAD, 4) && sources->size > 4) {
            bool whole = packet[0] >> 4 == 6 && size >= 40;
            ours = whole && is_ours_v6(sources, packet + 8);
            /* also under a link-local address, or none yet */
            if (whole && server && packet[24] >= LINK_V6)
                ours = passes_v6(diversion, packet, size) && ours;
        } else {
            break;
        }
        if (ours)
            merge(merging, packet, size);
        position += length;
    }
    finish_flow(merging, &any);
    return position;
}

PyDoc_STRVAR(forward_doc, "See merging.forward.");

static PyObject *forward(PyObject *module, PyObject *arguments) {
    (void)module;
    static struct merging merging; /* 38 KiB; one thread at a time, as Python's lock is held */
    struct diversion diversion = {NULL, false, NULL};
    Py_buffer view, source, server = {0}, networks = {0}, networks_v6 = {0};
    Py_ssize_t position, end;
    int offload, multicast = 0;
    if (!PyArg_ParseTuple(arguments, "y*nnz*ii|z*py*y*", &view, &position, &end, &source, &merging.tun,
                          &offload, &server, &multicast, &networks, &networks_v6))
        return NULL;
    PyObject *answer = NULL;
    if (position < 0 || position > end || end > view.len ||
        (source.obj && (source.len < 4 || source.len > 20)) || (server.obj && server.len != 4) ||
        networks.len % 8 || networks_v6.len % 32) {
        PyErr_SetString(PyExc_ValueError,
                        "no such part of the view, or no such source, server or networks");
    } else if ((diversion.packets = PyList_New(0)) != NULL) {
        diversion.server = server.buf;
        diversion.multicast = multicast;
        merging.offload = offload;
        merging.written = merging.count = 0;
        for (size_t place = 0; place < FLOWS; place++)
            merging.spare[place] = &merging.groups[place];
        const struct sources sources = {source.buf,
                                        (size_t)source.len,
                                        {networks.buf, (size_t)networks.len},
                                        {networks_v6.buf, (size_t)networks_v6.len}};
        size_t stopped = forward_all(&merging, &diversion, view.buf, (size_t)position, (size_t)end,
                                     &sources);
        answer = Py_BuildValue("(nnO)", (Py_ssize_t)stopped, (Py_ssize_t)merging.written,
                               diversion.packets);
    }
    Py_XDECREF(diversion.packets);
    PyBuffer_Release(&networks_v6);
    PyBuffer_Release(&networks);
    PyBuffer_Release(&server);
    PyBuffer_Release(&source);
    PyBuffer_Release(&view);
    return answer;
}

/* To the client */

struct large {
    const uint8_t *ip;
    size_t length, start, headers, size, count; /* of all, of the IP header, of a payload */
    bool udp;
};

static void write_head(uint8_t *room, const uint8_t *ip, size_t length) {
    put16(room, 0x1000);
    put16(room + 2, length);
    memcpy(room + 4, ip[0] >> 4 == 6 ? IPV6_HEAD : IPV4_HEAD, 4);
}

/* Pack a packet as it is, its checksum finished; return the size, 0 if that cannot be. */
static size_t pack_whole(const struct vnet *vnet, const uint8_t *ip, size_t size, uint8_t *room,
                         size_t there) {
    size_t length = OVERHEAD + size;
    if (length > MAX_PACKET || length > there)
        return 0;
    uint8_t *packet = room + OVERHEAD;
    memcpy(packet, ip, size);
    if (vnet->flags & NEEDS_CHECKSUM) {
        size_t at = (size_t)vnet->start + vnet->offset;
        if (at + 2 > size)
            return 0;
        uint16_t check = (uint16_t)~fold(add(0, packet + vnet->start, size - vnet->start));
        put_sum(packet + at, check ? check : 0xffff);
    }
    write_head(room, ip, length);
    return length;
}

static bool read_large(struct large *large, const struct vnet *vnet, const uint8_t *ip, size_t size) {
    uint8_t kind = vnet->kind & (uint8_t)~GSO_ECN, version = ip[0] >> 4;
    size_t start = vnet->start, minimum = kind == GSO_UDP ? 8 : 20;
    if (!(kind == GSO_TCPV4 && version == 4) && !(kind == GSO_TCPV6 && version == 6) &&
        kind != GSO_UDP)
        return false;
    /* behind IPv6's header there may be others, of extensions */
    if (version == 4 ? start != (size_t)(ip[0] & 0x0f) * 4 : start < 40)
        return false;
    if (start < 20 || start + minimum > size)
        return false;
    size_t headers = start + (kind == GSO_UDP ? 8 : (size_t)(ip[start + 12] >> 4) * 4);
    if (headers < start + minimum || headers >= size || !vnet->size ||
        OVERHEAD + headers + vnet->size > MAX_PACKET)
        return false;
    *large = (struct large){ip, size, start, headers, vnet->size, 0, kind == GSO_UDP};
    large->count = (size - headers + large->size - 1) / large->size;
    return true;
}

/* The bytes of IP in this segment. */
static size_t segment_size(const struct large *large, size_t number) {
    size_t rest = large->length - large->headers - number * large->size;
    return large->headers + (rest < large->size ? rest : large->size);
}

static void write_segment(const struct large *large, size_t number, uint8_t *room, size_t size) {
    uint8_t *packet = room + OVERHEAD, *transport = packet + large->start;
    size_t begin = large->headers + number * large->size, behind = size - large->start;
    write_head(room, large->ip, OVERHEAD + size);
    memcpy(packet, large->ip, large->headers);
    memcpy(packet + large->headers, large->ip + begin, size - large->headers);
    if (packet[0] >> 4 == 4) {
        put16(packet + 2, size);
        put16(packet + 4, get16(packet + 4) + number);
        put16(packet + 10, 0);
        put_sum(packet + 10, (uint16_t)~fold(add(0, packet, large->start)));
    } else {
        put16(packet + 4, size - 40);
    }
    uint8_t *check = transport + (large->udp ? 6 : 16);
    if (large->udp) {
        put16(transport + 4, behind);
    } else {
        put32(transport + 4, get32(transport + 4) + (uint32_t)(number * large->size));
        if (number)
            transport[13] &= (uint8_t)~CWR;
        if (number < large->count - 1)
            transport[13] &= (uint8_t)~(FIN | PSH);
    }
    put16(check, 0);
    uint64_t sum = pseudo_header(packet, large->udp ? UDP : TCP, behind);
    uint16_t value = (uint16_t)~fold(add(sum, transport, behind));
    put_sum(check, large->udp && !value ? 0xffff : value);
}

static bool append(PyObject *ends, size_t end) {
    PyObject *number = PyLong_FromSize_t(end);
    bool done = number != NULL && PyList_Append(ends, number) == 0;
    Py_XDECREF(number);
    return done;
}

/* Cut into room[*end:there]; return the number of the next segment, -1 if there is none, -2 on an
 * error of Python. */
static Py_ssize_t cut_all(PyObject *ends, const uint8_t *data, size_t size, size_t number,
                          uint8_t *room, size_t there, size_t limit, size_t *end) {
    struct vnet vnet;
    struct large large;
    if (size < sizeof vnet + 20 || size > sizeof vnet + LONGEST)
        return -1;
    memcpy(&vnet, data, sizeof vnet);
    const uint8_t *ip = data + sizeof vnet;
    size -= sizeof vnet;
    if (ip[0] >> 4 != 4 && ip[0] >> 4 != 6)
        return -1;
    if (vnet.kind == GSO_NONE) {
        size_t length = pack_whole(&vnet, ip, size, room + *end, there - *end);
        *end += length;
        return length == 0 || append(ends, *end) ? -1 : -2;
    }
    if (!read_large(&large, &vnet, ip, size))
        return -1;
    for (size_t begun = number; number < large.count; number++) {
        size_t length = segment_size(&large, number);
        if (OVERHEAD + length > there - *end || (number > begun && *end + OVERHEAD + length > limit))
            return (Py_ssize_t)number;
        write_segment(&large, number, room + *end, length);
        *end += OVERHEAD + length;
        if (!append(ends, *end))
            return -2;
    }
    return -1;
}

PyDoc_STRVAR(cut_doc, "See cutting.cut.");

static PyObject *cut(PyObject *module, PyObject *arguments) {
    (void)module;
    Py_buffer packet, room;
    Py_ssize_t first, limit;
    if (!PyArg_ParseTuple(arguments, "y*nw*n", &packet, &first, &room, &limit))
        return NULL;
    PyObject *answer = NULL, *ends = NULL;
    size_t end = 0;
    if (first < 0 || limit < 0) {
        PyErr_SetString(PyExc_ValueError, "no such segment, or no such limit");
    } else if ((ends = PyList_New(0)) != NULL) {
        Py_ssize_t next = cut_all(ends, packet.buf, (size_t)packet.len, (size_t)first, room.buf,
                                  (size_t)room.len, (size_t)limit, &end);
        if (next != -2)
            answer = Py_BuildValue("(On)", ends, next);
    }
    Py_XDECREF(ends);
    PyBuffer_Release(&room);
    PyBuffer_Release(&packet);
    return answer;
}

/* What pull() comes to: the packet at which it stopped, and the number of its next segment. */
struct pulled {
    const uint8_t *packet;
    size_t size;
    Py_ssize_t next;
};

/* Read and cut; return false on an error of Python. */
static bool pull_all(struct pulled *pulled, PyObject *ends, int tun, uint8_t *room, size_t there,
                     size_t limit, int versions) {
    static uint8_t packet[sizeof(struct vnet) + LARGEST];
    size_t end = 0;
    for (;;) {
        ssize_t size = read(tun, packet, sizeof packet);
        if (size == 0 || (size < 0 && errno == EAGAIN))
            return true;
        if (size < 0) {
            PyErr_SetFromErrno(PyExc_OSError);
            return false;
        }
        /* of what the client has not opened nothing is to come, if the machine lets us say so */
        if ((size_t)size < sizeof(struct vnet) + 20 ||
            !(versions >> (packet[sizeof(struct vnet)] >> 4) & 1))
            continue;
        Py_ssize_t next = 0;
        if (end < limit)
            next = cut_all(ends, packet, (size_t)size, 0, room, there, limit, &end);
        if (next == -2)
            return false;
        if (next >= 0) {
            *pulled = (struct pulled){packet, (size_t)size, next};
            return true;
        }
    }
}

PyDoc_STRVAR(pull_doc, "See cutting.pull.");

static PyObject *pull(PyObject *module, PyObject *arguments) {
    (void)module;
    int tun, versions;
    Py_buffer room;
    Py_ssize_t limit;
    struct pulled pulled = {NULL, 0, 0};
    if (!PyArg_ParseTuple(arguments, "iw*ni", &tun, &room, &limit, &versions))
        return NULL;
    PyObject *answer = NULL, *ends = PyList_New(0);
    if (limit < 0)
        PyErr_SetString(PyExc_ValueError, "no such limit");
    else if (ends != NULL &&
             pull_all(&pulled, ends, tun, room.buf, (size_t)room.len, (size_t)limit,
                      versions))
        answer = Py_BuildValue("(Oy#n)", ends, pulled.packet, (Py_ssize_t)pulled.size, pulled.next);
    Py_XDECREF(ends);
    PyBuffer_Release(&room);
    return answer;
}

static PyMethodDef methods[] = {
    {"forward", forward, METH_VARARGS, forward_doc},
    {"pull", pull, METH_VARARGS, pull_doc},
    {"cut", cut, METH_VARARGS, cut_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_segments", .m_size = 0, .m_methods = methods};

PyMODINIT_FUNC PyInit__segments(void) {
    PyObject *module = PyModule_Create(&definition);
    /* of the functions' parameters: see engine.py */
    if (module != NULL && PyModule_AddIntConstant(module, "REVISION", 4)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
