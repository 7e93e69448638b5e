/* Records after the handshake, for _tls.c: of TLS 1.3 (RFC 8446 5), and of TLS 1.2 with AES-GCM (RFC 5246 6,
 * RFC 5288) or ChaCha20-Poly1305 (RFC 7905). OpenSSL has agreed on the secrets, and encrypts; what is here
 * is only how a record is laid out, and the few messages that are left. It is what kernels do for TLS, for
 * the same reasons: OpenSSL's own way around a record costs about as much as to encrypt it, and what it
 * keeps for a handshake that is over is 10 KB a connection.
 *
 * Sections are those of RFC 8446, where nothing else is said.
 */

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTENT = 16 * 1024,               /* of one record, 5.1 */
    HEADER = 5,                        /* 5.1: type, version, length */
    TAG = 16,                          /* of all three ciphers */
    NONCE = 12,                        /* of all three, 5.3 */
    LARGEST = CONTENT + 256,           /* behind the header, 5.2 */
    EXPLICIT = 8, SALT = 4,            /* RFC 5288 3: of a nonce, in the record and beside the key */
    FRAME = HEADER + EXPLICIT + TAG,   /* around content that is sent, at most: in TLS 1.3 HEADER + 1 + TAG */
    SECRET = 48,                       /* the longest, of SHA-384, or TLS 1.2's master_secret */
    ALERT = 21, HANDSHAKE = 22, DATA = 23, /* 5.1 */
    FINISHED = HEADER + EXPLICIT + 4 + 12 + TAG, /* the record of a Finished of TLS 1.2, with AES-GCM */
    CLIENT_HELLO = 1, MESSAGE = 4,     /* 4: its type; what is before a message, in bytes */
    HELLO_MAX = 131396,                /* bytes, as OpenSSL has it */
    KEY_UPDATE = 24, UPDATE = 5,       /* 4.6.3: its type; its size in bytes */
    UPDATES = 256,                     /* in a turn; those who send any do so after millions of records */
    WARNINGS = 5,                      /* with nothing in between, as OpenSSL has it */
    USER_CANCELED = 90,                /* 6.1 */
    FATAL = 2, WARNING = 1,            /* 6 */
};

/* Why it goes no further: OpenSSL's word for it, 0: it goes; and the alert that says so to the client
 * (6.2), if there is one. */
typedef struct {
    int reason, alert;
} Fault;

enum { UNSAID = -1 };

static const Fault NONE = {0, UNSAID},
                   UNEXPECTED = {SSL_R_UNEXPECTED_MESSAGE, SSL_AD_UNEXPECTED_MESSAGE},
                   BAD_TYPE = {SSL_R_BAD_RECORD_TYPE, SSL_AD_UNEXPECTED_MESSAGE},
                   BAD_VERSION = {SSL_R_WRONG_VERSION_NUMBER, SSL_AD_PROTOCOL_VERSION},
                   BAD_MAC = {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, SSL_AD_BAD_RECORD_MAC},
                   TOO_LONG = {SSL_R_ENCRYPTED_LENGTH_TOO_LONG, SSL_AD_RECORD_OVERFLOW},
                   TOO_MUCH = {SSL_R_DATA_LENGTH_TOO_LONG, SSL_AD_RECORD_OVERFLOW},
                   BAD_UPDATE = {SSL_R_BAD_KEY_UPDATE, SSL_AD_ILLEGAL_PARAMETER},
                   BAD_ALERT = {SSL_R_INVALID_ALERT, SSL_AD_UNEXPECTED_MESSAGE},
                   BAD_LEVEL = {SSL_R_UNKNOWN_ALERT_TYPE, SSL_AD_ILLEGAL_PARAMETER},
                   TOO_OFTEN = {SSL_R_TOO_MANY_KEY_UPDATES, SSL_AD_UNEXPECTED_MESSAGE},
                   BAD_HELLO = {SSL_R_EXCESSIVE_MESSAGE_SIZE, SSL_AD_ILLEGAL_PARAMETER},
                   WARNED = {SSL_R_TOO_MANY_WARN_ALERTS, SSL_AD_UNEXPECTED_MESSAGE},
                   NOT_ANEW = {SSL_R_NO_RENEGOTIATION, SSL_AD_HANDSHAKE_FAILURE},
                   /* nothing may be encrypted any more: perhaps a nonce was used, or a key is half of the next */
                   OURS = {ERR_R_INTERNAL_ERROR, UNSAID};

/* One direction. */
typedef struct {
    EVP_CIPHER_CTX *cipher;
    unsigned char secret[SECRET], nonce[NONCE];
    bool known; /* the secret is there */
    uint64_t sequence;
} Way;

/* How records look; the rest of a record is the same in both. */
typedef enum {
    INNER, /* of TLS 1.3: what a record is of is encrypted with it */
    OUTER, /* of TLS 1.2 */
    SALTED, /* of TLS 1.2 with AES-GCM: a part of the nonce is in the record */
} Layout;

typedef struct {
    const EVP_CIPHER *cipher;
    const EVP_MD *digest;
    SSL_CTX *context;     /* of TLS 1.2: where its session is remembered, to be resumed */
    SSL_SESSION *session;
    Layout layout;
    Way in, out;
    uint64_t explicit;  /* of the next nonce that is sent, if it is salted */
    uint32_t skipped;   /* what is missing of a ClientHello */
    unsigned char message[UPDATE]; /* a KeyUpdate, or a message's beginning, as far as it came */
    unsigned char held;
    unsigned char warnings; /* since anything else came */
    short updates; /* in this turn; in TLS 1.2 ClientHellos */
    bool owed;  /* a KeyUpdate, in answer to the client's; in TLS 1.2 that nothing is negotiated anew */
    bool ended; /* by the client */
    bool said;  /* that we end it */
    Fault fault;
} Records;

/* What a record held. */
typedef struct {
    int type;
    size_t size;
} Held;

/* RFC 5246 7.2: what did not end in order is not resumed. */
static void forget_session(Records *records) {
    if (records->context)
        SSL_CTX_remove_session(records->context, records->session);
}

static void free_records(Records *records) {
    if (!records)
        return;
    if (!records->said)
        forget_session(records);
    EVP_CIPHER_CTX_free(records->in.cipher);
    EVP_CIPHER_CTX_free(records->out.cipher);
    SSL_SESSION_free(records->session);
    SSL_CTX_free(records->context);
    OPENSSL_clear_free(records, sizeof *records);
}

/* Take a secret, as OpenSSL gives them to who wants to log keys: LABEL, the client's random, the secret,
 * both in hexadecimal. Others are left. */
static void keep_secret(Records **records, const char *line) {
    static const char *const names[2] = {"CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "};
    bool ours = !strncmp(line, names[1], strlen(names[1]));
    if (!ours && strncmp(line, names[0], strlen(names[0])))
        return;
    if (!*records && !(*records = OPENSSL_zalloc(sizeof **records)))
        return;
    Way *way = ours ? &(*records)->out : &(*records)->in;
    size_t size = 0;
    way->known = OPENSSL_hexstr2buf_ex(way->secret, SECRET, &size, strrchr(line, ' ') + 1, '\0') == 1;
}

/* HKDF-Expand-Label without a context (7.1), of at most a digest's size, which makes it one HMAC. */
static bool expand(const Records *records, const Way *way, const char *label, unsigned char *made,
                   size_t size) {
    unsigned char info[32] = {0, (unsigned char)size, (unsigned char)(6 + strlen(label))};
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t end = 3;
    memcpy(info + end, "tls13 ", 6);
    end += 6;
    memcpy(info + end, label, strlen(label));
    end += strlen(label);
    info[end++] = 0; /* the context's length */
    info[end++] = 1; /* RFC 5869 2.3: the first block */
    bool done = HMAC(records->digest, way->secret, EVP_MD_get_size(records->digest), info, end, digest,
                     NULL) != NULL;
    if (done)
        memcpy(made, digest, size);
    OPENSSL_cleanse(digest, sizeof digest);
    return done;
}

/* 7.3: key and nonce of a secret; records are counted anew. */
static bool use_secret(const Records *records, Way *way) {
    unsigned char key[EVP_MAX_KEY_LENGTH];
    bool done = expand(records, way, "key", key, (size_t)EVP_CIPHER_get_key_length(records->cipher)) &&
                expand(records, way, "iv", way->nonce, NONCE) &&
                EVP_CipherInit_ex(way->cipher, records->cipher, NULL, key, NULL, -1) == 1;
    OPENSSL_cleanse(key, sizeof key);
    if (done)
        way->sequence = 0;
    return done;
}

/* 7.2 */
static bool next_secret(const Records *records, Way *way) {
    unsigned char secret[SECRET];
    size_t size = (size_t)EVP_MD_get_size(records->digest);
    bool done = expand(records, way, "traffic upd", secret, size);
    if (done)
        memcpy(way->secret, secret, size);
    OPENSSL_cleanse(secret, sizeof secret);
    return done && use_secret(records, way);
}

/* RFC 5246 6.3: keys and nonces of TLS 1.2, with which either side has sent its Finished. */
static bool use_master_secret(Records *records, const SSL *ssl) {
    unsigned char master[SSL_MAX_MASTER_KEY_LENGTH], seed[2 * SSL3_RANDOM_SIZE];
    unsigned char made[2 * (EVP_MAX_KEY_LENGTH + NONCE)];
    size_t key = (size_t)EVP_CIPHER_get_key_length(records->cipher);
    size_t nonce = records->layout == SALTED ? SALT : NONCE;
    size_t size = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master);
    static char label[] = "key expansion";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string("digest", (char *)EVP_MD_get0_name(records->digest), 0),
        OSSL_PARAM_construct_octet_string("secret", master, size),
        OSSL_PARAM_construct_octet_string("seed", label, sizeof label - 1),
        OSSL_PARAM_construct_octet_string("seed", seed, sizeof seed), OSSL_PARAM_construct_end()};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *expansion = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool done = expansion && SSL_get_server_random(ssl, seed, SSL3_RANDOM_SIZE) == SSL3_RANDOM_SIZE &&
                SSL_get_client_random(ssl, seed + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE) == SSL3_RANDOM_SIZE &&
                EVP_KDF_derive(expansion, made, 2 * (key + nonce), parameters) == 1 &&
                EVP_CipherInit_ex(records->in.cipher, NULL, NULL, made, NULL, -1) == 1 &&
                EVP_CipherInit_ex(records->out.cipher, NULL, NULL, made + key, NULL, -1) == 1;
    if (done) {
        memcpy(records->in.nonce, made + 2 * key, nonce);
        memcpy(records->out.nonce, made + 2 * key + nonce, nonce);
        records->in.sequence = records->out.sequence = 1;
    }
    EVP_KDF_CTX_free(expansion);
    EVP_KDF_free(kdf);
    OPENSSL_cleanse(master, sizeof master);
    OPENSSL_cleanse(made, sizeof made);
    return done;
}

/* Have a session of TLS 1.2 remembered where OpenSSL has it, as long as the connection ends in order. */
static bool remember(Records *records, SSL *ssl) {
    records->session = SSL_get1_session(ssl);
    records->context = SSL_CTX_up_ref(SSL_get_SSL_CTX(ssl)) == 1 ? SSL_get_SSL_CTX(ssl) : NULL;
    return records->session && records->context;
}

/* Go on where a handshake ended, in TLS 1.3 with the secrets that were kept. False if it cannot be done, as
 * with a client that takes small records alone (RFC 6066 4): then OpenSSL goes on.
 *
 * Of TLS 1.2: first: whether a Finished was all that either side has encrypted. explicit: of the nonce of
 * ours, if that had one; or NULL. It must not come again: what is sent goes on from there. */
static bool take_over(Records *records, SSL *ssl, bool first, const unsigned char *explicit) {
    const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
    const SSL_SESSION *session = SSL_get_session(ssl);
    int cipher = suite ? SSL_CIPHER_get_cipher_nid(suite) : NID_undef, version = SSL_version(ssl);
    if (SSL_has_pending(ssl) || !session ||
        SSL_SESSION_get_max_fragment_length(session) != TLSEXT_max_fragment_length_DISABLED ||
        (cipher != NID_aes_256_gcm && cipher != NID_aes_128_gcm && cipher != NID_chacha20_poly1305))
        return false;
    if (version == TLS1_2_VERSION && first)
        records->layout = cipher == NID_chacha20_poly1305 ? OUTER : SALTED;
    else if (version != TLS1_3_VERSION || !records->in.known || !records->out.known)
        return false;
    if (records->layout == SALTED) {
        if (!explicit)
            return false;
        for (int place = 0; place < EXPLICIT; place++)
            records->explicit = records->explicit << 8 | explicit[place];
        records->explicit++;
    }
    records->cipher = EVP_get_cipherbynid(cipher);
    records->digest = SSL_CIPHER_get_handshake_digest(suite);
    records->in.cipher = EVP_CIPHER_CTX_new();
    records->out.cipher = EVP_CIPHER_CTX_new();
    if (!records->cipher || !records->digest || !records->in.cipher || !records->out.cipher ||
        EVP_MD_get_size(records->digest) > SECRET ||
        EVP_DecryptInit_ex(records->in.cipher, records->cipher, NULL, NULL, NULL) != 1 ||
        EVP_EncryptInit_ex(records->out.cipher, records->cipher, NULL, NULL, NULL) != 1)
        return false;
    if (records->layout == INNER)
        return use_secret(records, &records->in) && use_secret(records, &records->out);
    return use_master_secret(records, ssl) && remember(records, ssl);
}

/* Return what is between a record's header and what is encrypted, in bytes. */
static size_t explicit_of(const Records *records) { return records->layout == SALTED ? EXPLICIT : 0; }

static void put_number(unsigned char *to, uint64_t number) {
    for (int place = 7; place >= 0; place--, number >>= 8)
        to[place] = (unsigned char)number;
}

/* Begin with the next record: its nonce (5.3, RFC 7905 2, RFC 5288 3), and what nobody can change either,
 * its header (5.2), and in TLS 1.2 which one it is, with the size of what is encrypted in place of the
 * record's (RFC 5246 6.2.3.3). */
static bool begin_record(const Records *records, Way *way, const unsigned char *record, size_t size) {
    unsigned char nonce[NONCE], beside[8 + HEADER];
    int done;
    put_number(beside, way->sequence++);
    memcpy(beside + 8, record, HEADER);
    memcpy(nonce, way->nonce, NONCE);
    if (records->layout == SALTED)
        memcpy(nonce + SALT, record + HEADER, EXPLICIT);
    else
        for (int place = 0; place < 8; place++)
            nonce[NONCE - 8 + place] ^= beside[place];
    if (records->layout != INNER) {
        beside[sizeof beside - 2] = (unsigned char)(size >> 8);
        beside[sizeof beside - 1] = (unsigned char)size;
    }
    size_t skipped = records->layout == INNER ? 8 : 0;
    return EVP_CipherInit_ex(way->cipher, NULL, NULL, NULL, nonce, -1) == 1 &&
           EVP_CipherUpdate(way->cipher, NULL, &done, beside + skipped,
                            (int)(sizeof beside - skipped)) == 1;
}

/* Encrypt at most CONTENT bytes as a record, to where there is room for FRAME more; return the record's
 * size, 0: it could not be done. */
static size_t seal(Records *records, unsigned char type, const void *data, size_t size, unsigned char *to) {
    EVP_CIPHER_CTX *cipher = records->out.cipher;
    size_t inner = records->layout == INNER, before = HEADER + explicit_of(records);
    size_t whole = before + size + inner + TAG, length = whole - HEADER;
    unsigned char *end = to + before + size;
    int done;
    memcpy(to, (unsigned char[]){inner ? DATA : type, 3, 3, (unsigned char)(length >> 8),
                                 (unsigned char)length}, HEADER);
    if (records->layout == SALTED)
        put_number(to + HEADER, records->explicit++);
    bool sealed = begin_record(records, &records->out, to, size) &&
                  (!size || EVP_EncryptUpdate(cipher, to + before, &done, data, (int)size) == 1) &&
                  (!inner || EVP_EncryptUpdate(cipher, end, &done, &type, 1) == 1) &&
                  EVP_EncryptFinal_ex(cipher, end + inner, &done) == 1 &&
                  EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG, end + inner) == 1;
    return sealed ? whole : 0;
}

/* Return what is behind a header, in bytes. */
static size_t length_of(const unsigned char *header) { return (size_t)header[3] << 8 | header[4]; }

/* Say what is wrong with a record, as far as its header tells. */
static Fault judge(const Records *records, const unsigned char *header) {
    bool inner = records->layout == INNER;
    if (header[0] != DATA && (inner || (header[0] != ALERT && header[0] != HANDSHAKE)))
        return BAD_TYPE;
    if (header[1] != 3 || header[2] != 3)
        return BAD_VERSION;
    if (length_of(header) > LARGEST)
        return TOO_LONG;
    return length_of(header) < explicit_of(records) + inner + TAG ? BAD_MAC : NONE;
}

/* Decrypt a whole record that judge() let pass, to where there is room for what is between its header and
 * its tag, which may be where it is. */
static Fault open_up(Records *records, unsigned char *record, unsigned char *to, Held *held) {
    EVP_CIPHER_CTX *cipher = records->in.cipher;
    unsigned char *encrypted = record + HEADER + explicit_of(records);
    size_t size = length_of(record) - explicit_of(records) - TAG;
    int done;
    if (!begin_record(records, &records->in, record, size) ||
        (size && EVP_DecryptUpdate(cipher, to, &done, encrypted, (int)size) != 1) ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG, encrypted + size) != 1)
        return OURS;
    if (EVP_DecryptFinal_ex(cipher, to + size, &done) != 1)
        return BAD_MAC;
    if (size > CONTENT + (records->layout == INNER))
        return TOO_MUCH;
    *held = (Held){record[0], size};
    if (records->layout == INNER) {
        while (size && !to[size - 1]) /* padding, 5.4 */
            size--;
        if (!size)
            return UNEXPECTED;
        *held = (Held){to[size - 1], size - 1};
    }
    if (held->type != ALERT && held->size)
        records->warnings = 0;
    bool between = (records->held || records->skipped) && held->type != HANDSHAKE;
    return between ? UNEXPECTED : NONE; /* 5.1 */
}

/* Take an alert (6). In TLS 1.2 a warning says nothing that concerns us, but a goodbye, and that the client
 * negotiates nothing anew, which nobody has asked for (RFC 5246 7.2). */
static Fault hear_alert(Records *records, const unsigned char *data, size_t size) {
    if (size != 2)
        return BAD_ALERT;
    bool inner = records->layout == INNER, warning = !inner && data[0] == WARNING;
    if (!inner && !warning && data[0] != FATAL)
        return BAD_LEVEL;
    if (warning && ++records->warnings >= WARNINGS)
        return WARNED;
    if (data[1] == SSL_AD_CLOSE_NOTIFY && (inner || warning)) {
        records->ended = true;
        return NONE;
    }
    if (warning && data[1] == SSL_AD_NO_RENEGOTIATION)
        return NOT_ANEW;
    if (warning || (inner && data[1] == USER_CANCELED))
        return NONE;
    return (Fault){SSL_AD_REASON_OFFSET + data[1], UNSAID};
}

/* Pass over a ClientHello of TLS 1.2, which would negotiate anew, as far as its record has it. */
static Fault hear_hello(Records *records, const unsigned char *data, size_t size) {
    while (size) {
        size_t passed = 1;
        if (records->skipped) {
            passed = size < records->skipped ? size : records->skipped;
            records->skipped -= (uint32_t)passed;
        } else {
            const unsigned char *message = records->message;
            records->message[records->held++] = *data;
            if (message[0] != CLIENT_HELLO)
                return UNEXPECTED;
            if (records->held == MESSAGE) {
                records->held = 0;
                records->skipped = (uint32_t)message[1] << 16 | (uint32_t)message[2] << 8 | message[3];
            }
            if (records->skipped > HELLO_MAX)
                return BAD_HELLO;
        }
        data += passed;
        size -= passed;
        if (records->held || records->skipped)
            continue;
        if (++records->updates > UPDATES)
            return TOO_OFTEN;
        records->owed = true;
    }
    return NONE;
}

/* Take a piece of a KeyUpdate, the last one at the end of its record (5.1): there is no other message
 * that a client may send now. */
static Fault hear_update(Records *records, const unsigned char *data, size_t size) {
    static const unsigned char head[UPDATE - 1] = {KEY_UPDATE, 0, 0, 1};
    if (!size || size > (size_t)UPDATE - records->held)
        return UNEXPECTED;
    memcpy(records->message + records->held, data, size);
    records->held += (unsigned char)size;
    if (memcmp(records->message, head, records->held < UPDATE ? records->held : sizeof head))
        return UNEXPECTED;
    if (records->held < UPDATE)
        return NONE;
    records->held = 0;
    if (++records->updates > UPDATES)
        return TOO_OFTEN;
    if (records->message[UPDATE - 1] > 1)
        return BAD_UPDATE;
    records->owed = records->owed || records->message[UPDATE - 1];
    return next_secret(records, &records->in) ? NONE : OURS;
}

/* Take what a record held that is no content. */
static Fault hear(Records *records, Held held, const unsigned char *data) {
    if (held.type == HANDSHAKE && records->layout != INNER)
        return held.size ? hear_hello(records, data, held.size) : UNEXPECTED;
    if (held.type == HANDSHAKE)
        return hear_update(records, data, held.size);
    return held.type == ALERT ? hear_alert(records, data, held.size) : UNEXPECTED;
}
