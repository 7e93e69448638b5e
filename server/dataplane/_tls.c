/* What openssl.py says of Python's ssl, by OpenSSL itself: many records in one call, and without what
 * ssl does for each of them (it lets go of Python's lock, and takes it again). Context() and what its
 * begin() returns, nothing else.
 *
 * Limited API of Python 3.11, OpenSSL from 3.0 on. OpenSSL computes all that is TLS, but for records after
 * the handshake (_records.h); what is here are the settings, which are those of openssl.py, and loops. Every
 * read and write is inside a buffer whose size was compared before.
 *
 * Python's lock is let go of in a handshake alone, which takes milliseconds, in a thread of its own.
 */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <ctype.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "_records.h"

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#error "needs OpenSSL 3"
#endif

enum {
    ADDED = 96,         /* to a record, by the longest suite, and more than that */
    USUAL = 212 * 1024, /* a turn of packets in one direction, encrypted, behind a record's beginning */
};

static PyObject *error_type, *context_type, *tls_type;
static BIO_METHOD *memory;

/* Ciphertext that waits */

typedef struct {
    char *data;
    size_t begin, end, room;
} Queue;

/* Of the usual size, for whoever has something next: to ask for that much memory and give it back in
 * each turn costs more than what is done with it. Under Python's lock alone. */
static char *spare;

static size_t waiting(const Queue *queue) { return queue->end - queue->begin; }

static void release(Queue *queue, bool locked) {
    if (locked && !spare && queue->room == USUAL)
        spare = queue->data;
    else
        free(queue->data);
    *queue = (Queue){NULL, 0, 0, 0};
}

/* Make room for so much more behind what waits; false if there is none. */
static bool reserve(Queue *queue, size_t more, bool locked) {
    size_t size = waiting(queue);
    if (more <= queue->room - queue->end)
        return true;
    if (queue->begin && more <= queue->room - size) {
        memmove(queue->data, queue->data + queue->begin, size);
        queue->begin = 0;
        queue->end = size;
        return true;
    }
    if (more > SIZE_MAX / 4 - size)
        return false;
    size_t room = size + more > 2 * queue->room ? size + more : 2 * queue->room;
    if (room > CONTENT && room < USUAL)
        room = USUAL;
    char *data = NULL;
    if (locked && room == USUAL) {
        data = spare;
        spare = NULL;
    }
    if (!data && !(data = malloc(room)))
        return false;
    if (size)
        memcpy(data, queue->data + queue->begin, size);
    release(queue, locked);
    *queue = (Queue){data, 0, size, room};
    return true;
}

static bool put(Queue *queue, const char *data, size_t size, bool locked) {
    if (!reserve(queue, size, locked))
        return false;
    if (size)
        memcpy(queue->data + queue->end, data, size);
    queue->end += size;
    return true;
}

/* A part of a record needs no room for a turn; a failure leaves it where it is. */
static void shrink(Queue *queue) {
    size_t size = waiting(queue);
    char *data = queue->room >= USUAL && size < HEADER + LARGEST ? malloc(size) : NULL;
    if (!data)
        return;
    memcpy(data, queue->data + queue->begin, size);
    release(queue, true);
    *queue = (Queue){data, 0, size, size};
}

static void take(Queue *queue, size_t size, bool locked) {
    queue->begin += size;
    if (queue->begin == queue->end)
        release(queue, locked);
}

/* Raise ssl.SSLError with the last of OpenSSL's reasons, in the spelling that ssl has. */
static PyObject *fail(void) {
    unsigned long code = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(code), *rest = text;
    ERR_clear_error();
    char reason[64] = "";
    /* as an alert's name begins from OpenSSL 3.2 on, and what it was before, and is in ssl */
    if (text && !strncmp(text, "ssl/tls", 7)) {
        strcpy(reason, "SSLV3");
        rest += 7;
    }
    size_t size = strlen(reason);
    for (; rest && *rest && size < sizeof reason - 1; rest++)
        reason[size++] = isalnum((unsigned char)*rest) ? (char)toupper((unsigned char)*rest) : '_';
    reason[size] = 0;
    PyObject *error = PyObject_CallFunction(error_type, "is", ERR_GET_LIB(code),
                                            text ? text : "TLS is broken");
    PyObject *name = text ? PyUnicode_FromString(reason) : Py_NewRef(Py_None);
    if (error && name && PyObject_SetAttrString(error, "reason", name) == 0)
        PyErr_SetObject(error_type, error);
    Py_XDECREF(name);
    Py_XDECREF(error);
    return NULL;
}

/* One connection */

typedef struct {
    PyObject_HEAD
    SSL *ssl;         /* until records take over */
    Records *records; /* before that, as far as the secrets are known */
    Queue in, out;
    unsigned char explicit[EXPLICIT]; /* of the nonce of our Finished, if that is what OpenSSL wrote last */
    bool finished;
    unsigned came, sent; /* records since a ChangeCipherSpec of TLS 1.2, in a handshake */
    size_t content, behind; /* of a record that was decrypted in its place: what is not read yet, and
                             * what is no content behind it */
    bool busy;        /* in a handshake, without Python's lock */
} TlsEnd;

static void hear_secret(const SSL *ssl, const char *line) {
    TlsEnd *self = BIO_get_data(SSL_get_rbio(ssl));
    keep_secret(&self->records, line);
}

static void count_record(int ours, int version, int type, const void *data, size_t size, SSL *ssl,
                         void *argument) {
    (void)version, (void)size, (void)ssl;
    TlsEnd *self = argument;
    unsigned *count = ours ? &self->sent : &self->came;
    if (type == SSL3_RT_HEADER)
        *count = *(const unsigned char *)data == SSL3_RT_CHANGE_CIPHER_SPEC ? 0 : *count + 1;
}

/* The settings */

typedef struct {
    PyObject_HEAD
    SSL_CTX *context;
} Context;

/* No password: OpenSSL would ask a terminal for that of an encrypted key. */
static int no_password(char *buffer, int size, int writing, void *data) {
    (void)buffer, (void)size, (void)writing, (void)data;
    return 0;
}

static bool set_up(SSL_CTX *context, const char *path, const char *suites, const char *group,
                   int minimum) {
    static const unsigned char name[] = "sstpca";
    SSL_CTX_set_default_passwd_cb(context, no_password);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_keylog_callback(context, hear_secret);
    return SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_session_id_context(context, name, sizeof name - 1) == 1 &&
           SSL_CTX_set_min_proto_version(context, minimum) == 1 &&
           SSL_CTX_set_cipher_list(context, suites) == 1 &&
           (!*group || SSL_CTX_set1_groups_list(context, group) == 1) &&
           SSL_CTX_use_certificate_chain_file(context, path) == 1 &&
           SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_check_private_key(context) == 1;
}

PyDoc_STRVAR(context_doc, "See openssl.PythonContext.");

static PyObject *new_context(PyTypeObject *type, PyObject *arguments, PyObject *named) {
    const char *path, *suites, *group;
    int minimum;
    if (named && PyDict_Size(named)) {
        PyErr_SetString(PyExc_TypeError, "no named arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "sssi", &path, &suites, &group, &minimum))
        return NULL;
    Context *self = PyObject_New(Context, type);
    if (!self)
        return NULL;
    ERR_clear_error();
    self->context = SSL_CTX_new(TLS_server_method());
    if (!self->context || !set_up(self->context, path, suites, group, minimum)) {
        Py_DECREF(self);
        return fail();
    }
    return (PyObject *)self;
}

static void free_context(Context *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    SSL_CTX_free(self->context);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *suites_of(Context *self, void *unused) {
    (void)unused;
    STACK_OF(SSL_CIPHER) *suites = SSL_CTX_get_ciphers(self->context);
    PyObject *names = PyList_New(0);
    for (int place = 0; names && place < sk_SSL_CIPHER_num(suites); place++) {
        PyObject *name = PyUnicode_FromString(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(suites, place)));
        if (!name || PyList_Append(names, name))
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

/* What OpenSSL's own memory BIO does, without clearing each byte before it is written, and with
 * memory only while something waits. */

static int read_memory(BIO *bio, char *buffer, int size) {
    TlsEnd *self = BIO_get_data(bio);
    size_t there = waiting(&self->in), count = size < 0 ? 0 : (size_t)size;
    BIO_clear_retry_flags(bio);
    if (!there) {
        BIO_set_retry_read(bio); /* what is not there may come yet */
        return -1;
    }
    if (count > there)
        count = there;
    memcpy(buffer, self->in.data + self->in.begin, count);
    take(&self->in, count, !self->busy);
    return (int)count;
}

static int write_memory(BIO *bio, const char *data, int size) {
    TlsEnd *self = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0 || !put(&self->out, data, (size_t)size, !self->busy))
        return -1;
    static const unsigned char head[HEADER] = {HANDSHAKE, 3, 3, 0, FINISHED - HEADER};
    self->finished = size >= FINISHED && !memcmp(data + size - FINISHED, head, HEADER);
    if (self->finished)
        memcpy(self->explicit, data + size - FINISHED + HEADER, EXPLICIT);
    return size;
}

static long control_memory(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH; /* and there is nothing else that could be asked for */
}

static BIO_METHOD *new_memory(void) {
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "queues");
    if (made && BIO_meth_set_read(made, read_memory) && BIO_meth_set_write(made, write_memory) &&
        BIO_meth_set_ctrl(made, control_memory))
        return made;
    BIO_meth_free(made);
    return NULL;
}

static PyObject *begin(Context *self, PyObject *unused) {
    (void)unused;
    TlsEnd *tls = PyObject_New(TlsEnd, (PyTypeObject *)tls_type);
    if (!tls)
        return NULL;
    tls->in = tls->out = (Queue){NULL, 0, 0, 0};
    tls->records = NULL;
    tls->content = tls->behind = 0;
    tls->busy = tls->finished = false;
    tls->came = tls->sent = 0;
    ERR_clear_error();
    tls->ssl = SSL_new(self->context);
    BIO *bio = BIO_new(memory);
    if (!tls->ssl || !bio) {
        BIO_free(bio);
        Py_DECREF(tls);
        return fail();
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_msg_callback(tls->ssl, count_record);
    SSL_set_msg_callback_arg(tls->ssl, tls);
    SSL_set_accept_state(tls->ssl);
    return (PyObject *)tls;
}

static void free_tls(TlsEnd *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    SSL_free(self->ssl);
    free_records(self->records);
    release(&self->in, true);
    release(&self->out, true);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* What is only needed while there is something: OpenSSL's own buffers, of a record each, are let go of
 * when a turn is over, not for each record. */
static void rest(TlsEnd *self) {
    if (self->ssl)
        SSL_free_buffers(self->ssl);
    if (!waiting(&self->out))
        release(&self->out, !self->busy);
    if (waiting(&self->in) && !self->busy)
        shrink(&self->in);
}

/* Whether nobody else is at it. */
static bool is_ready(TlsEnd *self) {
    if (self->busy)
        PyErr_SetString(PyExc_RuntimeError, "a handshake is going on");
    ERR_clear_error();
    return !self->busy;
}

static PyObject *feed(TlsEnd *self, PyObject *argument) {
    Py_buffer data;
    if (!is_ready(self) || !PyArg_Parse(argument, "y*", &data))
        return NULL;
    bool done = put(&self->in, data.buf, (size_t)data.len, true);
    PyBuffer_Release(&data);
    return done ? Py_NewRef(Py_None) : PyErr_NoMemory();
}

/* After a handshake: let go of what is for that alone, if the records can do without. */
static void settle(TlsEnd *self, bool ours) {
    if (ours && !self->records)
        self->records = OPENSSL_zalloc(sizeof *self->records);
    bool first = self->came == 1 && self->sent == 1;
    if (ours && self->records &&
        take_over(self->records, self->ssl, first, self->finished ? self->explicit : NULL)) {
        SSL_set_shutdown(self->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* it is still remembered */
        SSL_free(self->ssl);
        self->ssl = NULL;
    } else {
        SSL_set_msg_callback(self->ssl, NULL);
        free_records(self->records);
        self->records = NULL;
    }
}

static PyObject *receive(TlsEnd *self, PyObject *arguments) {
    int descriptor;
    Py_ssize_t most, count;
    if (!is_ready(self) || !PyArg_ParseTuple(arguments, "in", &descriptor, &most))
        return NULL;
    if (most < 0 || !reserve(&self->in, (size_t)most, true))
        return PyErr_NoMemory();
    do
        count = recv(descriptor, self->in.data + self->in.end, (size_t)most, MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        PyErr_SetFromErrno(PyExc_OSError);
    else
        self->in.end += (size_t)count;
    if (!waiting(&self->in))
        release(&self->in, true);
    else if (self->ssl && SSL_in_init(self->ssl))
        shrink(&self->in); /* a stranger's step may have to wait for its turn */
    return count < 0 ? NULL : PyLong_FromSsize_t(count);
}

static PyObject *handshake(TlsEnd *self, PyObject *unused) {
    (void)unused;
    if (!is_ready(self))
        return NULL;
    if (!self->ssl)
        return Py_NewRef(Py_True);
    int done, why;
    /* who reads or writes may have ended it: then records were counted by OpenSSL */
    bool ours = SSL_in_init(self->ssl);
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS;
    ERR_clear_error();
    done = SSL_do_handshake(self->ssl);
    why = SSL_get_error(self->ssl, done);
    rest(self);
    if (done == 1)
        settle(self, ours);
    Py_END_ALLOW_THREADS;
    self->busy = false;
    if (done != 1 && why != SSL_ERROR_WANT_READ)
        return fail();
    return PyBool_FromLong(done == 1);
}

/* Put a record into what is to be sent; false if there is no room, or nothing can be encrypted. */
static bool put_record(TlsEnd *self, unsigned char type, const char *data, size_t size) {
    Queue *out = &self->out;
    if (!reserve(out, size + FRAME, true))
        return false;
    size_t whole = seal(self->records, type, data, size, (unsigned char *)out->data + out->end);
    if (!whole)
        self->records->fault = OURS;
    out->end += whole;
    return whole;
}

/* Have the client told why it goes no further. */
static void break_off(TlsEnd *self, Fault fault) {
    self->records->fault = fault;
    forget_session(self->records);
    if (fault.alert != UNSAID && !self->records->said)
        put_record(self, ALERT, (char[]){FATAL, (char)fault.alert}, 2);
}

/* At the end of a turn: answer a KeyUpdate, however many there were (RFC 8446 4.6.3), or a ClientHello
 * (RFC 5246 7.2.2). */
static void answer(TlsEnd *self) {
    static const char update[UPDATE] = {KEY_UPDATE, 0, 0, 1, 0};
    Records *records = self->records;
    if (records)
        records->updates = 0;
    if (!records || !records->owed || records->said || records->fault.reason)
        return;
    records->owed = false;
    if (records->layout != INNER)
        put_record(self, ALERT, (char[]){WARNING, (char)SSL_AD_NO_RENEGOTIATION}, 2);
    else if (!put_record(self, HANDSHAKE, update, UPDATE) || !next_secret(records, &records->out))
        break_off(self, OURS);
}

/* What became of a read. */
typedef enum { GOT, WANTING, ENDED, BROKEN } Outcome;

/* Decrypt one record, if it is there: content into the buffer, if the record fits there, or where it is. */
static Outcome decrypt(TlsEnd *self, char *buffer, size_t room, size_t *count) {
    if (waiting(&self->in) < HEADER)
        return WANTING;
    unsigned char *record = (unsigned char *)self->in.data + self->in.begin;
    Fault fault = judge(self->records, record);
    size_t size = HEADER + length_of(record), before = HEADER + explicit_of(self->records);
    if (!fault.reason && waiting(&self->in) < size)
        return WANTING;
    unsigned char *to = record;
    Held held = {0, 0};
    if (!fault.reason) {
        to = size - before - TAG <= room ? (unsigned char *)buffer : record + before;
        fault = open_up(self->records, record, to, &held);
    }
    if (!fault.reason && held.type != DATA)
        fault = hear(self->records, held, to);
    if (fault.reason) {
        break_off(self, fault);
        return BROKEN;
    }
    if (held.type != DATA || !held.size || to == (unsigned char *)buffer) {
        take(&self->in, size, true);
        *count = held.type == DATA ? held.size : 0;
    } else {
        self->in.begin += before;
        self->content = held.size;
        self->behind = size - before - held.size;
    }
    return GOT;
}

/* Read what of a record did not fit into the buffer before. */
static size_t read_rest(TlsEnd *self, char *buffer, size_t room) {
    size_t count = self->content < room ? self->content : room;
    memcpy(buffer, self->in.data + self->in.begin, count);
    self->content -= count;
    take(&self->in, count + (self->content ? 0 : self->behind), true);
    return count;
}

/* Read content of one record; the buffer is not empty. */
static Outcome read_content(TlsEnd *self, char *buffer, size_t room, size_t *count) {
    if (self->ssl) {
        int done = SSL_read_ex(self->ssl, buffer, room < CONTENT ? room : CONTENT, count);
        int why = SSL_get_error(self->ssl, done);
        if (done == 1)
            return GOT;
        return why == SSL_ERROR_WANT_READ ? WANTING : why == SSL_ERROR_ZERO_RETURN ? ENDED : BROKEN;
    }
    Outcome outcome = GOT;
    *count = 0;
    while (outcome == GOT && !*count) {
        if (self->records->fault.reason)
            outcome = BROKEN;
        else if (self->content)
            *count = read_rest(self, buffer, room);
        else
            outcome = self->records->ended ? ENDED : decrypt(self, buffer, room, count);
    }
    if (outcome == BROKEN)
        ERR_raise(ERR_LIB_SSL, self->records->fault.reason);
    return outcome;
}

static PyObject *read_one(TlsEnd *self, PyObject *argument) {
    Py_buffer buffer;
    size_t count = 0;
    if (!is_ready(self) || !PyArg_Parse(argument, "w*", &buffer))
        return NULL;
    Outcome outcome = buffer.len ? read_content(self, buffer.buf, (size_t)buffer.len, &count) : WANTING;
    answer(self);
    rest(self);
    PyBuffer_Release(&buffer);
    if (outcome == BROKEN)
        return fail();
    return outcome == WANTING ? Py_NewRef(Py_None) : PyLong_FromSize_t(outcome == GOT ? count : 0);
}

static PyObject *read_all(TlsEnd *self, PyObject *arguments) {
    Py_buffer buffer;
    Py_ssize_t begun;
    if (!is_ready(self) || !PyArg_ParseTuple(arguments, "w*n", &buffer, &begun))
        return NULL;
    if (begun < 0 || begun > buffer.len) {
        PyBuffer_Release(&buffer);
        PyErr_SetString(PyExc_ValueError, "no such part of the buffer");
        return NULL;
    }
    size_t end = (size_t)begun, size = (size_t)buffer.len, count;
    Outcome outcome = BROKEN;
    while (end < size && (outcome = read_content(self, (char *)buffer.buf + end, size - end, &count)) == GOT)
        end += count;
    answer(self);
    rest(self);
    PyBuffer_Release(&buffer);
    return Py_BuildValue("(nN)", (Py_ssize_t)end, PyBool_FromLong(outcome == WANTING));
}

static bool encrypt(TlsEnd *self, const char *data, size_t size) {
    size_t count;
    if (self->ssl)
        return size == 0 || SSL_write_ex(self->ssl, data, size, &count) == 1;
    if (self->records->fault.reason || self->records->said) {
        int reason = self->records->fault.reason;
        ERR_raise(ERR_LIB_SSL, reason ? reason : SSL_R_PROTOCOL_IS_SHUTDOWN);
        return false;
    }
    bool done = true;
    for (; done && size; data += count, size -= count) {
        count = size < CONTENT ? size : CONTENT;
        done = put_record(self, DATA, data, count);
    }
    return done;
}

/* Make room for content of that size in so many records. */
static bool expect(TlsEnd *self, Py_ssize_t size, Py_ssize_t records) {
    return reserve(&self->out, (size_t)size + (size_t)records * ADDED, true);
}

static PyObject *write_one(TlsEnd *self, PyObject *argument) {
    Py_buffer data;
    if (!is_ready(self) || !PyArg_Parse(argument, "y*", &data))
        return NULL;
    bool done = expect(self, data.len, 1 + data.len / CONTENT) &&
                encrypt(self, data.buf, (size_t)data.len);
    rest(self);
    PyBuffer_Release(&data);
    return done ? Py_NewRef(Py_None) : fail();
}

static PyObject *write_each(TlsEnd *self, PyObject *arguments) {
    Py_buffer data;
    PyObject *ends;
    if (!is_ready(self) || !PyArg_ParseTuple(arguments, "y*O", &data, &ends))
        return NULL;
    Py_ssize_t count = PyList_Size(ends), begin = 0;
    Py_ssize_t last = count > 0 ? PyLong_AsSsize_t(PyList_GetItem(ends, count - 1)) : 0;
    if (last < 0 || last > data.len) /* which the loop finds */
        last = 0;
    bool done = !PyErr_Occurred() && expect(self, last, count);
    for (Py_ssize_t place = 0; done && place < count; place++) {
        Py_ssize_t end = PyLong_AsSsize_t(PyList_GetItem(ends, place));
        done = !PyErr_Occurred();
        if (done && (end < begin || end > data.len)) {
            PyErr_SetString(PyExc_ValueError, "no such part of the data");
            done = false;
        }
        done = done && encrypt(self, (const char *)data.buf + begin, (size_t)(end - begin));
        begin = end;
    }
    rest(self);
    PyBuffer_Release(&data);
    if (!done)
        return PyErr_Occurred() ? NULL : fail();
    return Py_NewRef(Py_None);
}

static PyObject *output(TlsEnd *self, PyObject *unused) {
    (void)unused;
    if (!is_ready(self))
        return NULL;
    size_t size = waiting(&self->out);
    const char *there = size ? self->out.data + self->out.begin : NULL;
    PyObject *data = PyBytes_FromStringAndSize(there, (Py_ssize_t)size);
    if (data && size)
        take(&self->out, size, true);
    return data;
}

static PyObject *send_out(TlsEnd *self, PyObject *argument) {
    int descriptor;
    if (!is_ready(self) || !PyArg_Parse(argument, "i", &descriptor))
        return NULL;
    while (waiting(&self->out)) {
        ssize_t sent = send(descriptor, self->out.data + self->out.begin, waiting(&self->out),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            take(&self->out, (size_t)sent, true);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromSize_t(waiting(&self->out));
}

static PyObject *pending(TlsEnd *self, void *unused) {
    (void)unused;
    return is_ready(self) ? PyLong_FromSize_t(waiting(&self->out)) : NULL;
}

static PyObject *shut(TlsEnd *self, PyObject *unused) {
    (void)unused;
    if (!is_ready(self))
        return NULL;
    /* before the end of a handshake there is nobody to say goodbye to */
    if (self->ssl)
        SSL_shutdown(self->ssl);
    else if (!self->records->said && !self->records->fault.reason)
        self->records->said =
            put_record(self, ALERT, (char[]){WARNING, (char)SSL_AD_CLOSE_NOTIFY}, 2);
    ERR_clear_error();
    return Py_NewRef(Py_None);
}

/* What Python sees */

#define METHOD(name, function, flags) {name, (PyCFunction)(void (*)(void))function, flags, NULL}
#define GETTER(name, function) {name, (getter)(void (*)(void))function, NULL, NULL, NULL}

static PyMethodDef context_methods[] = {METHOD("begin", begin, METH_NOARGS), {NULL, NULL, 0, NULL}};

static PyGetSetDef context_values[] = {GETTER("suites", suites_of), {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot context_slots[] = {
    {Py_tp_doc, (void *)context_doc},  {Py_tp_new, (void *)new_context},
    {Py_tp_dealloc, (void *)free_context}, {Py_tp_methods, context_methods},
    {Py_tp_getset, context_values},    {0, NULL},
};

static PyType_Spec context_spec = {
    .name = "sstpca.server.dataplane._tls.Context",
    .basicsize = sizeof(Context),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = context_slots,
};

static PyMethodDef tls_methods[] = {
    METHOD("feed", feed, METH_O),
    METHOD("receive", receive, METH_VARARGS),
    METHOD("handshake", handshake, METH_NOARGS),
    METHOD("read", read_one, METH_O),
    METHOD("read_all", read_all, METH_VARARGS),
    METHOD("write", write_one, METH_O),
    METHOD("write_each", write_each, METH_VARARGS),
    METHOD("output", output, METH_NOARGS),
    METHOD("send", send_out, METH_O),
    METHOD("shut", shut, METH_NOARGS),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef tls_values[] = {GETTER("pending", pending), {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot tls_slots[] = {
    {Py_tp_dealloc, (void *)free_tls},
    {Py_tp_methods, tls_methods},
    {Py_tp_getset, tls_values},
    {0, NULL},
};

static PyType_Spec tls_spec = {
    .name = "sstpca.server.dataplane._tls.TlsEnd",
    .basicsize = sizeof(TlsEnd),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = tls_slots,
};

static bool fill(PyObject *module) {
    PyObject *ssl = PyImport_ImportModule("ssl");
    error_type = ssl ? PyObject_GetAttrString(ssl, "SSLError") : NULL;
    Py_XDECREF(ssl);
    context_type = PyType_FromSpec(&context_spec);
    tls_type = PyType_FromSpec(&tls_spec);
    memory = new_memory();
    return error_type && context_type && tls_type && memory &&
           PyModule_AddObjectRef(module, "Context", context_type) == 0 &&
           PyModule_AddStringConstant(module, "OPENSSL", OpenSSL_version(OPENSSL_VERSION)) == 0 &&
           /* of the functions' parameters: see engine.py */
           PyModule_AddIntConstant(module, "REVISION", 3) == 0;
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_tls", .m_size = -1};

PyMODINIT_FUNC PyInit__tls(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module && !fill(module))
        Py_CLEAR(module);
    return module;
}
