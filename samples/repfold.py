#!/usr/bin/env python3
"""repfold.py TRAIN.onnx DEPLOY.onnx: convert and verify from Python.

Needs librepfold where the loader finds it, or its path in REPFOLD_LIBRARY.
Only what is called here is declared; repfold.h has the rest.
"""
import ctypes
import os
import sys


class Error(ctypes.Structure):
    """rp_error"""
    _fields_ = [('code', ctypes.c_char_p), ('where', ctypes.c_char * 512),
                ('message', ctypes.c_char * 512)]


class VerdictInfo(ctypes.Structure):
    """The first members of rp_verdict_info."""
    _fields_ = [('verdict', ctypes.c_char_p), ('why', ctypes.c_char_p)]


def load():
    library = ctypes.CDLL(os.environ.get('REPFOLD_LIBRARY', 'librepfold.so.0'))
    model, verdict, options = (ctypes.c_void_p,) * 3
    error = ctypes.POINTER(Error)
    for name, result, *arguments in (
            ('rp_version', ctypes.c_char_p),
            ('rp_open', model, ctypes.c_char_p, options, error),
            ('rp_reopen', model, model, error),
            ('rp_fold', ctypes.c_int, model, options, error),
            ('rp_folds', ctypes.c_void_p, model,
             ctypes.POINTER(ctypes.c_size_t)),
            ('rp_verify', verdict, model, model, options, error),
            ('rp_verdict_get', ctypes.POINTER(VerdictInfo), verdict),
            ('rp_verdict_free', None, verdict),
            ('rp_save', ctypes.c_int, model, ctypes.c_char_p, options, error),
            ('rp_close', None, model)):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Trouble(Exception):
    """Bad input; str() is one line."""


class Model:
    """An open model; `with` closes it."""
    library = load()

    def __init__(self, path=None, copy_of=None):
        self.handle = None
        if copy_of:
            self.handle = self.call('rp_reopen', copy_of.handle)
        else:
            self.handle = self.call('rp_open', os.fsencode(path), None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.rp_close(self.handle)

    def call(self, name, *arguments):
        """A function whose last argument is the error."""
        error = Error()
        result = getattr(self.library, name)(*arguments, ctypes.byref(error))
        if error.code:
            raise Trouble(f'{error.where.decode()}: {error.message.decode()}')
        return result

    def fold(self):
        """How many nodes were merged out of others."""
        count = ctypes.c_size_t()
        self.call('rp_fold', self.handle, None)
        self.library.rp_folds(self.handle, ctypes.byref(count))
        return count.value

    def verdict(self, original):
        """(verdict, why) of this model as a replacement of the original."""
        handle = self.call('rp_verify', original.handle, self.handle, None)
        info = self.library.rp_verdict_get(handle).contents
        told = info.verdict.decode(), (info.why or b'').decode()
        self.library.rp_verdict_free(handle)
        return told

    def save(self, path):
        self.call('rp_save', self.handle, os.fsencode(path), None)


def main(train, deploy):
    # The copy reads the model's bytes, so it is closed first.
    with Model(train) as model, Model(copy_of=model) as original:
        merged = model.fold()
        verdict, why = model.verdict(original)
        print(f'{merged} merged nodes, {verdict}', why)
        if verdict != 'equivalent':
            return 1
        model.save(deploy)
    return 0


if __name__ == '__main__':
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    try:
        sys.exit(main(*sys.argv[1:]))
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        sys.exit(2)
