import { posix } from 'node:path'
import { checkedTypeFlag } from './check-entry.ts'
import type { TarEntry } from './entry.ts'
import { BLOCK_BYTES, FIELD, tarPaddingBytes } from './layout.ts'
import { encodePaxRecords } from './pax-records.ts'
import {
  fitsOctal,
  fitsText,
  isAscii,
  putChecksum,
  putCommonFields,
  putOctal,
  putText,
  writeTarHeader,
  type HeaderBytes,
} from './ustar-header.ts'

const [, NAME_BYTES] = FIELD.name

/**
 * The header of one member, a multiple of 512 bytes: plain ustar whenever that can hold the entry, otherwise a PAX
 * header with what does not fit in front. The bytes are those of Go's archive/tar, which WAL-G uses (RF 3.4).
 * @throws Fault `invalid` `TAR_ENTRY_INVALID` for an entry that no tar can hold.
 */
export function encodeTarHeader(entry: TarEntry): Uint8Array {
  const plain = new Uint8Array(BLOCK_BYTES)
  return writeTarHeader(entry, plain, 0) > 0 ? plain : encodePaxHeader(entry)
}

function encodePaxHeader(entry: TarEntry): Uint8Array {
  const records = encodePaxRecords(recordsFor(entry))
  const bytes = new Uint8Array(BLOCK_BYTES + records.length + tarPaddingBytes(records.length) + BLOCK_BYTES)
  putPaxBlock({ target: bytes, offset: 0 }, entry.name, records.length)
  bytes.set(records, BLOCK_BYTES)
  putMainBlock({ target: bytes, offset: bytes.length - BLOCK_BYTES }, entry)
  return bytes
}

/** What the main header cannot hold, keyed as in PAX, in the order of the keys. */
function recordsFor(entry: TarEntry): [string, string][] {
  const { linkName = '' } = entry
  const records: [string, string][] = []
  if (!fitsOctal(FIELD.gid, entry.gid)) records.push(['gid', String(entry.gid)])
  if (!fitsText(FIELD.groupName, entry.groupName)) records.push(['gname', entry.groupName])
  if (!fitsText(FIELD.linkName, linkName)) records.push(['linkpath', linkName])
  if (!fitsOctal(FIELD.modified, entry.modifiedAtSeconds)) records.push(['mtime', String(entry.modifiedAtSeconds)])
  // A name that only a split could hold gets a record as well: the main header of a PAX member is never split.
  if (!fitsText(FIELD.name, entry.name)) records.push(['path', entry.name])
  if (!fitsOctal(FIELD.size, entry.size)) records.push(['size', String(entry.size)])
  if (!fitsOctal(FIELD.uid, entry.uid)) records.push(['uid', String(entry.uid)])
  if (!fitsText(FIELD.userName, entry.userName)) records.push(['uname', entry.userName])
  return records
}

/** The block before the records: named after the member, all attributes zero, devices and owners left empty. */
function putPaxBlock(header: HeaderBytes, memberName: string, size: number): void {
  const slash = memberName.lastIndexOf('/') + 1
  const joined = posix.join(memberName.slice(0, slash), 'PaxHeaders.0', memberName.slice(slash))
  const name = asciiOnly(joined).slice(0, NAME_BYTES).replace(/\/+$/, '')
  putText(header, FIELD.name, name)
  for (const field of [FIELD.mode, FIELD.uid, FIELD.gid, FIELD.modified]) putOctal(header, field, 0)
  putOctal(header, FIELD.size, size)
  header.target[header.offset + FIELD.type[0]] = 'x'.charCodeAt(0)
  putChecksum(header)
}

function putMainBlock(header: HeaderBytes, entry: TarEntry): void {
  putText(header, FIELD.name, entry.name)
  putCommonFields(header, entry, checkedTypeFlag(entry))
  putChecksum(header)
}

function asciiOnly(text: string): string {
  return isAscii(text) ? text : text.replaceAll(/[^\0-\x7f]/g, '')
}
