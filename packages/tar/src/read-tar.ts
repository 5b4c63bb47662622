import type { ByteSource } from '@waltz/bytes'
import { assert } from '@waltz/errors'
import { createChunkWindow, skipBytes, type ChunkWindow } from './chunk-window.ts'
import { isZero } from './decode-header.ts'
import type { TarEntry } from './entry.ts'
import { tarPaddingBytes } from './layout.ts'
import { nextEntry, type EntryReader, type FoundEntry } from './next-entry.ts'
import { tarTrailingFault, tarTruncatedFault } from './tar-faults.ts'

/** One member while it is the current one: its content can be read once, or not at all. */
export interface TarMember {
  readonly entry: TarEntry
  /** Where in the archive the member's first header block begins, in bytes. */
  readonly headerOffset: number
  /** The content as views of the incoming chunks, each lent: a chunk is given back when its views were. What is not read is passed over. */
  readonly body: ByteSource
  /** The whole content at once, lent and without a copy, when it lies in the chunk at hand; undefined otherwise, then read `body`. */
  take(): Uint8Array | undefined
}

/** How an archive ended. */
export interface TarEnd {
  /** Whether there was an end marker. Parts of remote backups of WAL-G have none (RF 3.9); all others do. */
  readonly marked: boolean
  /** The length of the archive in bytes. */
  readonly bytes: number
}

/** What may be asked of the reader. */
export interface ReadTarOptions {
  /** Called once, after the last member, when the archive ended well. */
  readonly onEnd?: (end: TarEnd) => void
}

/**
 * Reads an archive member by member: ustar, PAX and GNU headers, each checksum verified. A missing end marker and a
 * missing padding of the last member are accepted (RF 3.9); behind the marker only zeros may follow. The source is
 * closed at the end, whatever the end is.
 * @throws Fault `corrupt` `TAR_HEADER_DAMAGED`, `TAR_TRUNCATED`, `TAR_TRAILING_BYTES`; `unsupported` `TAR_MEMBER_UNSUPPORTED`.
 */
export async function* readTar(source: ByteSource, options: ReadTarOptions = {}): AsyncGenerator<TarMember, void, undefined> {
  const window = createChunkWindow(source)
  const reader: EntryReader = { window, globalRecords: new Map(), lastMember: undefined }
  try {
    for (;;) {
      const found = await nextEntry(reader)
      if (found.kind === 'end') {
        if (found.marked) await expectZeros(reader)
        options.onEnd?.({ marked: found.marked, bytes: window.offset })
        return
      }
      const content = openContent(window, found)
      yield content.member
      await content.finish()
    }
  } finally {
    await window.close()
  }
}

async function expectZeros(reader: EntryReader): Promise<void> {
  for (;;) {
    const { offset } = reader.window
    const bytes = await reader.window.next(Number.POSITIVE_INFINITY)
    if (bytes === undefined) return
    if (!isZero(bytes)) throw tarTrailingFault({ offset, lastMember: reader.lastMember })
  }
}

/** The content of the current member: what is left of it, and whether somebody took charge of reading it. */
interface OpenContent {
  readonly member: TarMember
  /** Passes over what was not read, and the padding. */
  finish(): Promise<void>
}

function openContent(window: ChunkWindow, found: FoundEntry): OpenContent {
  const { entry, headerOffset, contentBytes } = found
  let left = contentBytes
  let claimed = false
  let current = true

  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    assert(current && !claimed, `the content of ${entry.name} can be read once, while its member is the current one`)
    claimed = true
    while (left > 0) {
      const chunk = await window.next(left)
      if (chunk === undefined) throw truncated()
      left -= chunk.length
      yield window.lend(chunk)
      assert(current, `the content of ${entry.name} was read after its member`)
    }
  }
  const truncated = (): Error => {
    return tarTruncatedFault({ offset: window.offset, lastMember: entry.name }, `${left} more bytes of this member`)
  }
  return {
    member: {
      entry,
      headerOffset,
      body: { [Symbol.asyncIterator]: body },
      take() {
        if (!current || claimed || left > window.available) return undefined
        claimed = true
        left = 0
        return window.lend(window.takeNow(contentBytes))
      },
    },
    async finish() {
      current = false
      if (left > 0) left = await skipBytes(window, left)
      if (left > 0) throw truncated()
      const padding = tarPaddingBytes(contentBytes)
      if (padding > 0) await skipBytes(window, padding) // may be missing behind the last member
    },
  }
}
