/* What openssl.py says of Python's ssl, by OpenSSL itself: many records in one call, and without what
 * ssl does for each of them (it lets go of Python's lock, and takes it again). Context() and what its
 * begin() returns, nothing else.
 *
 * Limited API of Python 3.11, OpenSSL from 3.0 on. OpenSSL computes all that is TLS; what is here are
 * the settings, which are those of openssl.py, and loops. Every read and write is inside a buffer
 * whose size was compared before.
 *
 * Python's lock is let go of in a handshake alone, which takes milliseconds, in a thread of its own.
 */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <ctype.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#error "needs OpenSSL 3"
#endif

enum { RECORD = 16 * 1024 }; /* RFC 8446 5.1 */

static PyObject *error_type, *context_type, *tls_type;

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
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
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

/* One connection */

typedef struct {
    PyObject_HEAD
    SSL *ssl;
    BIO *in, *out; /* memory; they are the SSL's */
    bool busy;     /* in a handshake, without Python's lock */
} TlsEnd;

static PyObject *begin(Context *self, PyObject *unused) {
    (void)unused;
    TlsEnd *tls = PyObject_New(TlsEnd, (PyTypeObject *)tls_type);
    if (!tls)
        return NULL;
    tls->busy = false;
    ERR_clear_error();
    tls->ssl = SSL_new(self->context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        Py_DECREF(tls);
        return fail();
    }
    BIO_set_mem_eof_return(tls->in, -1); /* what is not there may come yet */
    BIO_set_mem_eof_return(tls->out, -1);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_accept_state(tls->ssl);
    return (PyObject *)tls;
}

static void free_tls(TlsEnd *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    SSL_free(self->ssl);
    PyObject_Free(self);
    Py_DECREF(type);
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
    bool done = data.len == 0 ||
                (data.len <= INT_MAX && BIO_write(self->in, data.buf, (int)data.len) == data.len);
    PyBuffer_Release(&data);
    return done ? Py_NewRef(Py_None) : fail();
}

static PyObject *handshake(TlsEnd *self, PyObject *unused) {
    (void)unused;
    if (!is_ready(self))
        return NULL;
    int done, why;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS;
    ERR_clear_error();
    done = SSL_do_handshake(self->ssl);
    why = SSL_get_error(self->ssl, done);
    Py_END_ALLOW_THREADS;
    self->busy = false;
    if (done != 1 && why != SSL_ERROR_WANT_READ)
        return fail();
    return PyBool_FromLong(done == 1);
}

static PyObject *read_one(TlsEnd *self, PyObject *argument) {
    Py_buffer buffer;
    size_t count = 0;
    if (!is_ready(self) || !PyArg_Parse(argument, "w*", &buffer))
        return NULL;
    int done = SSL_read_ex(self->ssl, buffer.buf, (size_t)buffer.len, &count);
    int why = SSL_get_error(self->ssl, done);
    PyBuffer_Release(&buffer);
    if (done == 1 || why == SSL_ERROR_ZERO_RETURN)
        return PyLong_FromSize_t(count);
    return why == SSL_ERROR_WANT_READ ? Py_NewRef(Py_None) : fail();
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
    bool alive = false;
    while (end < size) {
        size_t room = size - end < RECORD ? size - end : RECORD;
        int done = SSL_read_ex(self->ssl, (char *)buffer.buf + end, room, &count);
        if (done != 1) {
            alive = SSL_get_error(self->ssl, done) == SSL_ERROR_WANT_READ;
            break;
        }
        end += count;
    }
    PyBuffer_Release(&buffer);
    return Py_BuildValue("(nN)", (Py_ssize_t)end, PyBool_FromLong(alive));
}

static bool encrypt(TlsEnd *self, const char *data, size_t size) {
    size_t count;
    return size == 0 || SSL_write_ex(self->ssl, data, size, &count) == 1;
}

static PyObject *write_one(TlsEnd *self, PyObject *argument) {
    Py_buffer data;
    if (!is_ready(self) || !PyArg_Parse(argument, "y*", &data))
        return NULL;
    bool done = encrypt(self, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    return done ? Py_NewRef(Py_None) : fail();
}

static PyObject *write_each(TlsEnd *self, PyObject *arguments) {
    Py_buffer data;
    PyObject *ends;
    if (!is_ready(self) || !PyArg_ParseTuple(arguments, "y*O", &data, &ends))
        return NULL;
    Py_ssize_t count = PyList_Size(ends), begin = 0;
    bool done = count >= 0;
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
    PyBuffer_Release(&data);
    if (!done)
        return PyErr_Occurred() ? NULL : fail();
    return Py_NewRef(Py_None);
}

static PyObject *output(TlsEnd *self, PyObject *unused) {
    (void)unused;
    if (!is_ready(self))
        return NULL;
    char *there;
    long size = BIO_get_mem_data(self->out, &there);
    PyObject *data = PyBytes_FromStringAndSize(size > 0 ? there : NULL, size > 0 ? size : 0);
    if (data && size > 0)
        BIO_reset(self->out);
    return data;
}

static PyObject *pending(TlsEnd *self, void *unused) {
    (void)unused;
    return is_ready(self) ? PyLong_FromSize_t(BIO_ctrl_pending(self->out)) : NULL;
}

static PyObject *shut(TlsEnd *self, PyObject *unused) {
    (void)unused;
    if (!is_ready(self))
        return NULL;
    SSL_shutdown(self->ssl); /* it says goodbye; before the end of a handshake there is none */
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
    METHOD("handshake", handshake, METH_NOARGS),
    METHOD("read", read_one, METH_O),
    METHOD("read_all", read_all, METH_VARARGS),
    METHOD("write", write_one, METH_O),
    METHOD("write_each", write_each, METH_VARARGS),
    METHOD("output", output, METH_NOARGS),
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
    return error_type && context_type && tls_type &&
           PyModule_AddObjectRef(module, "Context", context_type) == 0 &&
           PyModule_AddStringConstant(module, "OPENSSL", OpenSSL_version(OPENSSL_VERSION)) == 0 &&
           /* of the functions' parameters: see engine.py */
           PyModule_AddIntConstant(module, "REVISION", 1) == 0;
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_tls", .m_size = -1};

PyMODINIT_FUNC PyInit__tls(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module && !fill(module))
        Py_CLEAR(module);
    return module;
}
