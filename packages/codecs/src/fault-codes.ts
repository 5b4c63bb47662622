import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  CODEC_CONTENT_LENGTH_WRONG:
    'Content that was announced with a length turned out longer or shorter. Take the length again, or leave it out.',
  CODEC_CONTENT_TOO_LARGE:
    'An object unpacks into more than its reader allows: it is damaged, or made to exhaust memory or disk. Allow more only if you know why it is so large.',
  CODEC_DAMAGED:
    'Compressed bytes do not follow their format, or do not match their checksum. The object was damaged: use another copy or another backup.',
  CODEC_FORMAT_UNSUPPORTED:
    'The object uses a feature of its format that is not readable here (a dictionary, a filter, a very large window). Recode it with the tool of that format.',
  CODEC_LOAD_FAILED:
    'The module of a codec could not be loaded. Install the package that the hint names, or the dependencies again for this platform and Node version.',
  CODEC_OPTION_INVALID: 'A level, block size or number of blocks is outside what the codec offers. The message says what it takes.',
  CODEC_READ_ONLY: 'The format can be read but is not offered for writing. Choose one of lz4, zstd, brotli, lzma, none.',
  CODEC_TRAILING_BYTES:
    'Bytes follow the end of the compressed data. Nothing that Waltz or WAL-G writes looks so: the object was appended to or overwritten in part.',
  CODEC_TRUNCATED: 'The compressed data ends before its end mark. The object was cut, for instance by an upload that broke off.',
  CODEC_UNKNOWN: 'No codec has this name. The message lists those that exist.',
  CODEC_UNKNOWN_EXTENSION: 'No codec has this file name extension, so the object cannot be read. It may not belong to the repository.',
}
