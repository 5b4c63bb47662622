import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  CODEC_DAMAGED:
    'Compressed bytes do not follow their format, or do not match their checksum. The object was damaged: use another copy or another backup.',
  CODEC_FORMAT_UNSUPPORTED:
    'The object uses a feature of its format that is not readable here (a dictionary, a legacy frame, a very large window). Recode it with the tool of that format.',
  CODEC_LOAD_FAILED: 'The native module of a codec could not be loaded. Reinstall the dependencies for this platform and Node version.',
  CODEC_OPTION_INVALID: 'A level, block size or number of blocks is outside what the codec offers. The message says what it takes.',
  CODEC_READ_ONLY: 'The format can be read but is not offered for writing. Choose one of lz4, zstd, brotli, lzma, none.',
  CODEC_TRAILING_BYTES:
    'Bytes follow the end of the compressed data. Nothing that Waltz or WAL-G writes looks so: the object was appended to or overwritten in part.',
  CODEC_TRUNCATED: 'The compressed data ends before its end mark. The object was cut, for instance by an upload that broke off.',
  CODEC_UNKNOWN: 'No codec has this name. The message lists those that exist.',
  CODEC_UNKNOWN_EXTENSION: 'No codec has this file name extension, so the object cannot be read. It may not belong to the repository.',
}
