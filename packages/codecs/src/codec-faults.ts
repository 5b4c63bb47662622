import { Fault } from '@waltz/errors'

/** Where in the compressed object something was found, for messages. */
export interface CodecPlace {
  readonly codec: string
  /** Bytes from the start of the compressed object. */
  readonly offset: number
}

/** The input ended where more had to follow. */
export function truncatedFault(place: CodecPlace, expected: string, cause?: unknown): Fault {
  return new Fault('corrupt', 'CODEC_TRUNCATED', `${place.codec} data ends at byte ${place.offset}, where ${expected} must follow`, {
    hint: 'The object was cut short: restore it from another copy, or use another backup.',
    context: { codec: place.codec, offset: place.offset },
    cause,
  })
}

/** The input breaks its format or a checksum. */
export function damagedFault(place: CodecPlace, what: string, cause?: unknown): Fault {
  return new Fault('corrupt', 'CODEC_DAMAGED', `${place.codec} data is damaged at byte ${place.offset}: ${what}`, {
    hint: 'The object was changed after it was written: restore it from another copy, or use another backup.',
    context: { codec: place.codec, offset: place.offset },
    cause,
  })
}

/** The input goes on after its end. */
export function trailingFault(place: CodecPlace): Fault {
  return new Fault('corrupt', 'CODEC_TRAILING_BYTES', `${place.codec} data ends at byte ${place.offset}, but more bytes follow`, {
    hint: 'Something was appended to the object, or an older one was overwritten in part: use another copy.',
    context: { codec: place.codec, offset: place.offset },
  })
}

/** The input is well formed as far as seen, but not readable here. */
export function unsupportedFormatFault(place: CodecPlace, what: string, cause?: unknown): Fault {
  return new Fault('unsupported', 'CODEC_FORMAT_UNSUPPORTED', `${place.codec} data at byte ${place.offset} ${what}`, {
    hint: `Recode the object with the ${place.codec} command line tool and plain options.`,
    context: { codec: place.codec, offset: place.offset },
    cause,
  })
}
