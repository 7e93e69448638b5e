/* Records of TLS 1.3 after the handshake (RFC 8446 5), for _tls.c: OpenSSL has agreed on the secrets,
 * and encrypts; what is here is only how a record is laid out, and the few messages that are left. It is
 * what kernels do for TLS, for the same reasons: OpenSSL's own way around a record costs about as much
 * as to encrypt it, and what it keeps for a handshake that is over is 10 KB a connection.
 */

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
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
    FRAME = HEADER + 1 + TAG,          /* around content that is sent */
    SECRET = 48,                       /* the longest, of SHA-384 */
    ALERT = 21, HANDSHAKE = 22, DATA = 23, /* 5.1 */
    KEY_UPDATE = 24, UPDATE = 5,       /* 4.6.3: its type; its size in bytes */
    UPDATES = 256,                     /* in a turn; those who send any do so after millions of records */
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
                   TOO_OFTEN = {SSL_R_TOO_MANY_KEY_UPDATES, SSL_AD_UNEXPECTED_MESSAGE},
                   /* nothing may be encrypted any more: perhaps a nonce was used, or a key is half of the next */
                   OURS = {ERR_R_INTERNAL_ERROR, UNSAID};

/* One direction. */
typedef struct {
    EVP_CIPHER_CTX *cipher;
    unsigned char secret[SECRET], nonce[NONCE];
    bool known; /* the secret is there */
    uint64_t sequence;
} Way;

typedef struct {
    const EVP_CIPHER *cipher;
    const EVP_MD *digest;
    Way in, out;
    unsigned char message[UPDATE]; /* a KeyUpdate, as far as it came */
    unsigned char held;
    short updates; /* in this turn */
    bool owed;  /* a KeyUpdate, in answer to the client's */
    bool ended; /* by the client */
    bool said;  /* that we end it */
    Fault fault;
} Records;

/* What a record held. */
typedef struct {
    int type;
    size_t size;
} Held;

static void free_records(Records *records) {
    if (!records)
        return;
    EVP_CIPHER_CTX_free(records->in.cipher);
    EVP_CIPHER_CTX_free(records->out.cipher);
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

/* Go on where a handshake ended, with the secrets that were kept. False if it cannot be done, as for
 * TLS 1.2, or a client that takes small records alone (RFC 6066 4): then OpenSSL goes on. */
static bool take_over(Records *records, SSL *ssl) {
    const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
    const SSL_SESSION *session = SSL_get_session(ssl);
    int cipher = suite ? SSL_CIPHER_get_cipher_nid(suite) : NID_undef;
    if (SSL_version(ssl) != TLS1_3_VERSION || SSL_has_pending(ssl) || !records->in.known ||
        !records->out.known || !session ||
        SSL_SESSION_get_max_fragment_length(session) != TLSEXT_max_fragment_length_DISABLED ||
        (cipher != NID_aes_256_gcm && cipher != NID_aes_128_gcm && cipher != NID_chacha20_poly1305))
        return false;
    records->cipher = EVP_get_cipherbynid(cipher);
    records->digest = SSL_CIPHER_get_handshake_digest(suite);
    records->in.cipher = EVP_CIPHER_CTX_new();
    records->out.cipher = EVP_CIPHER_CTX_new();
    return records->cipher && records->digest && records->in.cipher && records->out.cipher &&
           EVP_MD_get_size(records->digest) <= SECRET &&
           EVP_DecryptInit_ex(records->in.cipher, records->cipher, NULL, NULL, NULL) == 1 &&
           EVP_EncryptInit_ex(records->out.cipher, records->cipher, NULL, NULL, NULL) == 1 &&
           use_secret(records, &records->in) && use_secret(records, &records->out);
}

/* Begin with the next record: its nonce (5.3), and its header, which nobody can change either (5.2). */
static bool begin_record(Way *way, const unsigned char *header) {
    unsigned char nonce[NONCE];
    int size;
    memcpy(nonce, way->nonce, NONCE);
    for (int place = 0; place < 8; place++)
        nonce[NONCE - 1 - place] ^= (unsigned char)(way->sequence >> 8 * place);
    way->sequence++;
    return EVP_CipherInit_ex(way->cipher, NULL, NULL, NULL, nonce, -1) == 1 &&
           EVP_CipherUpdate(way->cipher, NULL, &size, header, HEADER) == 1;
}

/* Encrypt at most CONTENT bytes as a record, to where there is room for FRAME more. */
static bool seal(Records *records, unsigned char type, const void *data, size_t size, unsigned char *to) {
    EVP_CIPHER_CTX *cipher = records->out.cipher;
    size_t length = size + 1 + TAG;
    unsigned char *end = to + HEADER + size;
    int done;
    memcpy(to, (unsigned char[]){DATA, 3, 3, (unsigned char)(length >> 8), (unsigned char)length}, HEADER);
    return begin_record(&records->out, to) &&
           (!size || EVP_EncryptUpdate(cipher, to + HEADER, &done, data, (int)size) == 1) &&
           EVP_EncryptUpdate(cipher, end, &done, &type, 1) == 1 &&
           EVP_EncryptFinal_ex(cipher, end + 1, &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG, end + 1) == 1;
}

/* Return what is behind a header, in bytes. */
static size_t length_of(const unsigned char *header) { return (size_t)header[3] << 8 | header[4]; }

/* Say what is wrong with a record, as far as its header tells. */
static Fault judge(const unsigned char *header) {
    if (header[0] != DATA)
        return BAD_TYPE;
    if (header[1] != 3 || header[2] != 3)
        return BAD_VERSION;
    if (length_of(header) > LARGEST)
        return TOO_LONG;
    return length_of(header) <= TAG ? BAD_MAC : NONE;
}

/* Decrypt a whole record that judge() let pass, to where there is room for what is between its header and
 * its tag, which may be where it is. */
static Fault open_up(Records *records, unsigned char *record, unsigned char *to, Held *held) {
    EVP_CIPHER_CTX *cipher = records->in.cipher;
    size_t size = length_of(record) - TAG;
    int done;
    if (!begin_record(&records->in, record) ||
        EVP_DecryptUpdate(cipher, to, &done, record + HEADER, (int)size) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG, record + HEADER + size) != 1)
        return OURS;
    if (EVP_DecryptFinal_ex(cipher, to + size, &done) != 1)
        return BAD_MAC;
    if (size > CONTENT + 1)
        return TOO_MUCH;
    while (size && !to[size - 1]) /* padding, 5.4 */
        size--;
    if (!size)
        return UNEXPECTED;
    *held = (Held){to[size - 1], size - 1};
    return records->held && held->type != HANDSHAKE ? UNEXPECTED : NONE; /* 5.1: nothing in between */
}

/* Take an alert (6). */
static Fault hear_alert(Records *records, const unsigned char *data, size_t size) {
    if (size != 2)
        return BAD_ALERT;
    if (data[1] == USER_CANCELED)
        return NONE;
    if (data[1] != SSL_AD_CLOSE_NOTIFY)
        return (Fault){SSL_AD_REASON_OFFSET + data[1], UNSAID};
    records->ended = true;
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
    if (held.type == HANDSHAKE)
        return hear_update(records, data, held.size);
    return held.type == ALERT ? hear_alert(records, data, held.size) : UNEXPECTED;
}
