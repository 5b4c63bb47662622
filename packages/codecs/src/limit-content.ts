import { Fault } from '@waltz/errors'
import type { Codec } from './codec.ts'

/**
 * The same codec, whose `decompress` gives at most `maxBytes` bytes and then fails: against objects that unpack into far more than they
 * should. No byte beyond the limit is handed out, and the source is closed.
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` for a limit that is no number of bytes; `corrupt` `CODEC_CONTENT_TOO_LARGE` from the
 * iteration.
 */
export function limitContent(codec: Codec, maxBytes: number): Codec {
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) {
    throw new Fault('invalid', 'CODEC_OPTION_INVALID', `${maxBytes} is not a number of bytes`)
  }
  return {
    ...codec,
    async *decompress(source) {
      let seen = 0
      for await (const chunk of codec.decompress(source)) {
        seen += chunk.length
        if (seen > maxBytes) {
          throw new Fault('corrupt', 'CODEC_CONTENT_TOO_LARGE', `${codec.name} data unpacks into more than ${maxBytes} bytes`, {
            hint: 'The object is not what it should be: use another copy, or allow more if you know why it is so large.',
            context: { codec: codec.name, maxBytes },
          })
        }
        yield chunk
      }
    },
  }
}
