import { createHash, type Hash } from 'node:crypto'

/** Bytes of an object whose MD5 is known; half-open. */
export interface KnownSpan {
  readonly start: number
  readonly end: number
  readonly md5: string
}

/** Compares what is read with what is known. */
export interface SpanCheck {
  /** The next bytes. False when they complete a span whose sum is another one. */
  passed(bytes: Uint8Array): boolean
}

/** Whether a text can be an MD5: etags of some objects are something else. */
export function isMd5(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f]{32}$/.test(text)
}

/** Checks bytes from `start` on, up to `end`, by those spans that lie in between as a whole. Spans are in order and do not overlap. */
export function createSpanCheck(spans: readonly KnownSpan[], start: number, end: number): SpanCheck {
  const whole = spans.filter((span) => span.start >= start && span.end <= end && span.end > span.start).values()
  let next: KnownSpan | undefined = whole.next().value
  let at = start
  let hash: Hash | undefined
  return {
    passed(bytes) {
      for (let offset = 0; offset < bytes.length;) {
        if (next === undefined) return true
        if (at < next.start) {
          const skipped = Math.min(next.start - at, bytes.length - offset)
          at += skipped
          offset += skipped
          continue
        }
        const count = Math.min(next.end - at, bytes.length - offset)
        hash ??= createHash('md5')
        hash.update(bytes.subarray(offset, offset + count))
        at += count
        offset += count
        if (at < next.end) continue
        if (hash.digest('hex') !== next.md5) return false
        hash = undefined
        next = whole.next().value
      }
      return true
    },
  }
}
