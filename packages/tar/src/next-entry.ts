import { Buffer } from 'node:buffer'
import { takeBytes, type ChunkWindow } from './chunk-window.ts'
import { decodeHeader, HeaderProblem, isZero, type RawHeader } from './decode-header.ts'
import type { TarEntry, TarEntryType } from './entry.ts'
import { BLOCK_BYTES, tarPaddingBytes } from './layout.ts'
import { decodePaxRecords } from './pax-records.ts'
import { headerDamagedFault, memberUnsupportedFault, tarTruncatedFault, type TarPlace } from './tar-faults.ts'

/** PAX records and long names are read into memory; no honest archive comes near this. */
const MAX_EXTENSION_BYTES = 1_048_576

/** Permissions, setuid, setgid and sticky; some old writers stored the file type as well. */
const MODE_BITS = 0o7777

/** What one archive's reader carries from header to header. */
export interface EntryReader {
  readonly window: ChunkWindow
  readonly globalRecords: Map<string, Uint8Array>
  lastMember: string | undefined
}

/** A member's entry, and how many bytes of content follow it. */
export interface FoundEntry {
  readonly kind: 'entry'
  readonly entry: TarEntry
  /** Where the first header block of the member begins. */
  readonly headerOffset: number
  readonly contentBytes: number
}

/** The archive ended: `marked` when zero blocks said so, not when it just stopped at a header boundary (RF 3.9). */
export interface FoundEnd {
  readonly kind: 'end'
  readonly marked: boolean
}

/** What PAX and GNU headers said of the member that follows them. */
interface Extensions {
  readonly records: Map<string, Uint8Array>
  longName: Uint8Array | undefined
  longLink: Uint8Array | undefined
  seen: boolean
}

/**
 * Reads headers until one describes a member, or the archive ends.
 * @throws Fault `corrupt` `TAR_HEADER_DAMAGED`, `TAR_TRUNCATED`; `unsupported` `TAR_MEMBER_UNSUPPORTED`.
 */
export async function nextEntry(reader: EntryReader): Promise<FoundEntry | FoundEnd> {
  const { window } = reader
  const headerOffset = window.offset
  const extensions: Extensions = { records: new Map(), longName: undefined, longLink: undefined, seen: false }
  for (;;) {
    const place: TarPlace = { offset: window.offset, lastMember: reader.lastMember }
    const block = await takeBytes(window, BLOCK_BYTES)
    if (block.length < BLOCK_BYTES) {
      if (block.length === 0 && !extensions.seen) return { kind: 'end', marked: false }
      throw tarTruncatedFault({ ...place, offset: window.offset }, 'the rest of a header')
    }
    if (block[0] === 0 && isZero(block)) {
      if (extensions.seen) throw headerDamagedFault(place, 'a member is announced but does not follow')
      return { kind: 'end', marked: true }
    }
    const header = decodeHeader(block)
    if (header instanceof HeaderProblem) throw headerDamagedFault(place, header.what)
    if (!isExtension(header.typeFlag)) return found(header, extensions, { reader, place, headerOffset })
    await readExtension(reader, header, { extensions, place })
  }
}

function isExtension(typeFlag: string): boolean {
  return typeFlag === 'x' || typeFlag === 'g' || typeFlag === 'L' || typeFlag === 'K'
}

async function readExtension(
  reader: EntryReader,
  header: RawHeader,
  at: { readonly extensions: Extensions; readonly place: TarPlace },
): Promise<void> {
  const { extensions, place } = at
  if (header.size > MAX_EXTENSION_BYTES) throw headerDamagedFault(place, `an extended header of ${header.size} bytes`)
  const padded = header.size + tarPaddingBytes(header.size)
  const bytes = await takeBytes(reader.window, padded)
  if (bytes.length < padded) throw tarTruncatedFault({ ...place, offset: reader.window.offset }, 'the rest of an extended header')
  const content = new Uint8Array(bytes.subarray(0, header.size)) // kept beyond the chunk
  extensions.seen ||= header.typeFlag !== 'g'
  if (header.typeFlag === 'L') extensions.longName = untilNul(content)
  else if (header.typeFlag === 'K') extensions.longLink = untilNul(content)
  else {
    const records = decodePaxRecords(content)
    if (records === undefined) throw headerDamagedFault(place, 'its extended header is not a list of records')
    const target = header.typeFlag === 'g' ? reader.globalRecords : extensions.records
    for (const [key, value] of records) target.set(key, value)
  }
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

function found(
  header: RawHeader,
  extensions: Extensions,
  at: { readonly reader: EntryReader; readonly place: TarPlace; readonly headerOffset: number },
): FoundEntry {
  const { reader, place } = at
  const record = (key: string): Uint8Array | undefined => {
    const value = extensions.records.get(key) ?? reader.globalRecords.get(key)
    return value === undefined || value.length === 0 ? undefined : value // an empty value means "as in the header"
  }
  const text = (bytes: Uint8Array): string => decodeText(bytes, place)
  const number = (key: string, otherwise: number): number => decodeNumber(record(key), otherwise, { key, place })
  const name = text(record('path') ?? extensions.longName ?? header.name)
  if (name === '') throw headerDamagedFault(place, 'the member has no name')
  reader.lastMember = name
  if (isSparse(header, extensions)) throw memberUnsupportedFault({ ...place, lastMember: name }, 'is stored as a sparse file')
  const type = typeOf(header.typeFlag, name)
  const size = hasContent(type, header.typeFlag) ? number('size', header.size) : 0
  const linkName = text(record('linkpath') ?? extensions.longLink ?? header.linkName)
  const entry: TarEntry = {
    name,
    type,
    size,
    mode: header.mode & MODE_BITS,
    uid: number('uid', header.uid),
    gid: number('gid', header.gid),
    userName: text(record('uname') ?? header.userName),
    groupName: text(record('gname') ?? header.groupName),
    modifiedAtSeconds: number('mtime', header.modifiedAtSeconds),
    ...(type === 'other' ? { typeFlag: header.typeFlag } : {}),
    ...(linkName === '' ? {} : { linkName }),
  }
  return { kind: 'entry', headerOffset: at.headerOffset, contentBytes: size, entry }
}

function isSparse(header: RawHeader, extensions: Extensions): boolean {
  return header.typeFlag === 'S' || [...extensions.records.keys()].some((key) => key.startsWith('GNU.sparse.'))
}

/** `0` and NUL are files; the oldest writers marked a directory only by a slash at the end of its name. */
function typeOf(typeFlag: string, name: string): TarEntryType {
  if (typeFlag === '0' || typeFlag === '\0') return name.endsWith('/') ? 'directory' : 'file'
  if (typeFlag === '5') return 'directory'
  if (typeFlag === '2') return 'symlink'
  return typeFlag === '1' ? 'hardlink' : 'other'
}

/** Links, directories, devices and FIFOs have none, whatever size their header states. */
function hasContent(type: TarEntryType, typeFlag: string): boolean {
  return type === 'file' || (type === 'other' && !/^[346]$/.test(typeFlag))
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeText(bytes: Uint8Array, place: TarPlace): string {
  let ascii = true
  for (let index = 0; index < bytes.length && ascii; index += 1) ascii = (bytes[index] ?? 0) < 0x80
  if (ascii) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  try {
    return utf8.decode(bytes)
  } catch {
    throw memberUnsupportedFault(place, 'has a name that is not UTF-8')
  }
}

/** A PAX number. Times may have a fraction, which is dropped towards the past. */
function decodeNumber(value: Uint8Array | undefined, otherwise: number, at: { readonly key: string; readonly place: TarPlace }): number {
  if (value === undefined) return otherwise
  const text = Buffer.from(value).toString('latin1')
  const isTime = at.key === 'mtime'
  const number = (isTime ? /^-?[0-9]+(\.[0-9]*)?$/ : /^[0-9]+$/).test(text) ? Math.floor(Number(text)) : Number.NaN
  if (!Number.isSafeInteger(number)) throw headerDamagedFault(at.place, `its record ${at.key} is not a number`)
  return number
}
