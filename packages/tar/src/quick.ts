import { Fault } from '@waltz/errors'
import type { ByteSource } from '@waltz/bytes'
import type { TarEntry, TarEntryType } from './entry.ts'

export const TAR_TRAILER: Uint8Array = new Uint8Array(1024)
export function tarPaddingBytes(size: number): number {
  return (512 - (size % 512)) % 512
}
const TYPE: Record<string, string> = { file: '0', directory: '5', symlink: '2', hardlink: '1', other: '0' }

function block(fields: { name: string; prefix: string; entry: TarEntry; type: string; size: number }): Buffer {
  const { entry } = fields
  const b = Buffer.alloc(512)
  const octal = (value: number, at: number, length: number): void => void b.write(value.toString(8).padStart(length - 1, '0') + '\0', at, 'latin1')
  b.write(fields.name, 0)
  octal(entry.mode, 100, 8)
  octal(entry.uid, 108, 8)
  octal(entry.gid, 116, 8)
  octal(fields.size, 124, 12)
  octal(entry.modifiedAtSeconds, 136, 12)
  b.write('        ', 148)
  b.write(fields.type, 156)
  b.write(entry.linkName ?? '', 157)
  b.write('ustar\0' + '00', 257, 'latin1')
  b.write(entry.userName, 265)
  b.write(entry.groupName, 297)
  octal(0, 329, 8)
  octal(0, 337, 8)
  b.write(fields.prefix, 345)
  let sum = 0
  for (const x of b) sum += x
  b.write(sum.toString(8).padStart(6, '0') + '\0 ', 148, 'latin1')
  return b
}
export function encodeTarHeader(entry: TarEntry): Uint8Array {
  const ascii = /^[\x20-\x7e]*$/.test(entry.name)
  if (ascii && entry.name.length <= 100) return block({ name: entry.name, prefix: '', entry, type: TYPE[entry.type] ?? '0', size: entry.size })
  const body = ` path=${entry.name}\n`
  let length = Buffer.byteLength(body) + 1
  while (String(length).length + Buffer.byteLength(body) !== length) length++
  const record = Buffer.from(`${length}${body}`)
  const short = entry.name.replace(/[^\x20-\x7e]/g, '').slice(0, 100)
  return Buffer.concat([
    block({ name: 'PaxHeaders.0/x', prefix: '', entry: { ...entry, mode: 0, uid: 0, gid: 0, userName: '', groupName: '', modifiedAtSeconds: 0 }, type: 'x', size: record.length }),
    record,
    Buffer.alloc(tarPaddingBytes(record.length)),
    block({ name: short, prefix: '', entry, type: TYPE[entry.type] ?? '0', size: entry.size }),
  ])
}
export function writeTarHeader(entry: TarEntry, target: Uint8Array, offset: number): number {
  const bytes = encodeTarHeader(entry)
  if (bytes.length !== 512) return 0
  target.set(bytes, offset)
  return 512
}
export interface TarMember {
  readonly entry: TarEntry
  readonly body: ByteSource
  take(): Uint8Array | undefined
}
export async function* readTar(source: ByteSource): AsyncGenerator<TarMember, void, undefined> {
  const it = source[Symbol.asyncIterator]()
  let chunk: Uint8Array = new Uint8Array(0)
  let ended = false
  const more = async (): Promise<boolean> => {
    const { done, value } = await it.next()
    if (done === true) { ended = true; return false }
    chunk = value
    return true
  }
  const some = async (max: number): Promise<Uint8Array> => {
    if (chunk.length === 0 && !(await more())) return chunk
    const part = chunk.subarray(0, max)
    chunk = chunk.subarray(part.length)
    return part
  }
  const exact = async (length: number): Promise<Buffer | undefined> => {
    const out = Buffer.alloc(length)
    let have = 0
    while (have < length) {
      const part = await some(length - have)
      if (part.length === 0) { if (have === 0) return undefined; throw new Fault('corrupt', 'TAR_TRUNCATED', 'the archive is cut') }
      out.set(part, have)
      have += part.length
    }
    return out
  }
  const skip = async (length: number, lax = false): Promise<void> => {
    for (let left = length; left > 0; ) {
      const part = await some(left)
      if (part.length === 0) { if (lax) return; throw new Fault('corrupt', 'TAR_TRUNCATED', 'the archive is cut') }
      left -= part.length
    }
  }
  try {
    let pax = new Map<string, string>()
    for (;;) {
      const h = await exact(512)
      if (h === undefined) return
      if (h.every((x) => x === 0)) {
        for (;;) {
          const part = await some(1 << 20)
          if (part.length === 0) return
          if (!part.every((x) => x === 0)) throw new Fault('corrupt', 'TAR_TRAILING_BYTES', 'bytes behind the end of the archive')
        }
      }
      let sum = 256
      for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += h[i] ?? 0
      const text = (from: number, length: number): string => h.toString('utf8', from, from + length).replace(/\0.*$/s, '')
      const num = (from: number, length: number): number => Number.parseInt(h.toString('latin1', from, from + length).replace(/[\0 ]+$/, '').trim() || '0', 8)
      if (num(148, 8) !== sum - 0 && num(148, 8) !== sum) throw new Fault('corrupt', 'TAR_HEADER_DAMAGED', 'a header of the archive is damaged')
      const flag = text(156, 1) || '0'
      if (flag === 'x') {
        const size = num(124, 12)
        const records = (await exact(size)) ?? Buffer.alloc(0)
        await skip(tarPaddingBytes(size))
        for (let at = 0; at < records.length; ) {
          const space = records.indexOf(0x20, at)
          const length = Number(records.toString('latin1', at, space))
          const [key, ...rest] = records.toString('utf8', space + 1, at + length - 1).split('=')
          pax.set(key ?? '', rest.join('='))
          at += length
        }
        continue
      }
      const prefix = text(345, 155)
      const name = pax.get('path') ?? (prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`)
      const type: TarEntryType = flag === '0' ? 'file' : flag === '5' ? 'directory' : flag === '2' ? 'symlink' : flag === '1' ? 'hardlink' : 'other'
      const size = type === 'file' ? Number(pax.get('size') ?? num(124, 12)) : 0
      pax = new Map()
      const entry: TarEntry = { name, type, size, mode: num(100, 8) & 0o7777, uid: num(108, 8), gid: num(116, 8), userName: text(265, 32), groupName: text(297, 32), modifiedAtSeconds: num(136, 12), linkName: text(157, 100) }
      let left = size
      yield {
        entry,
        body: (async function* () {
          while (left > 0) {
            const part = await some(left)
            if (part.length === 0) throw new Fault('corrupt', 'TAR_TRUNCATED', 'the archive is cut')
            left -= part.length
            yield part
          }
        })(),
        take() {
          if (left !== size || chunk.length < size) return undefined
          const part = chunk.subarray(0, size)
          chunk = chunk.subarray(size)
          left = 0
          return part
        },
      }
      await skip(left)
      await skip(tarPaddingBytes(size), true)
    }
  } finally {
    if (!ended) await it.return?.()
  }
}
