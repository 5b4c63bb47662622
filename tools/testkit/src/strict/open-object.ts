import { spawn } from 'node:child_process'
import { createReadStream, statSync } from 'node:fs'
import { pipeline } from 'node:stream'
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib'
import { openFileReader } from './file-reader.ts'
import { decodeLz4Frame } from './lz4-frame.ts'

/** Suffixes that WAL-G reads, without their dot; '' is the codec `none`. */
export const suffixes: readonly string[] = ['', 'lz4', 'lzma', 'zst', 'br', 'gz', 'lzo']

/**
 * The plain bytes of a stored object, by its suffix alone (RF 6.1).
 * @throws Error when the object is not exactly one frame of that codec.
 */
export async function* openObject(path: string, suffix: string): AsyncGenerator<Uint8Array> {
  if (suffix === '') yield* createReadStream(path, { highWaterMark: 1 << 20 })
  else if (suffix === 'lz4') {
    await using file = await openFileReader(path)
    yield* decodeLz4Frame(file)
  } else if (suffix === 'zst') {
    await checkOneZstdFrame(path)
    yield* decoded(path, createZstdDecompress({ chunkSize: 1 << 18 }))
  } else if (suffix === 'br') {
    await checkBrotliEnd(path)
    yield* decoded(path, createBrotliDecompress({ chunkSize: 1 << 18 }))
  } else if (suffix === 'gz') yield* decoded(path, createGunzip({ chunkSize: 1 << 18 }))
  else if (suffix === 'lzma') yield* decodedByProgram(path, ['xz', '--format=lzma', '-dc'])
  else if (suffix === 'lzo') yield* decodedByProgram(path, ['lzop', '-dc'])
  else throw new Error(`no codec has the suffix ${JSON.stringify(suffix)}`)
}

async function* decoded(path: string, decoder: NodeJS.ReadWriteStream & AsyncIterable<unknown>, end?: number): AsyncGenerator<Uint8Array> {
  const source = createReadStream(path, { highWaterMark: 1 << 20, ...(end === undefined ? {} : { end }) })
  let failure: Error | undefined
  pipeline(source, decoder, (error) => {
    failure = error ?? undefined
  })
  for await (const chunk of decoder) yield chunk as Uint8Array
  if (failure !== undefined) throw failure
}

async function* decodedByProgram(path: string, [program = '', ...args]: readonly string[]): AsyncGenerator<Uint8Array> {
  const child = spawn(program, [...args, path], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code) => resolve(code ?? 'a signal'))
  })
  for await (const chunk of child.stdout) yield chunk as Uint8Array
  const end = await ended
  if (end !== 0) throw new Error(`${program} cannot decode it: ${String(end)}`)
}

/** Walks frame and block headers of a zstd object: one frame, with its checksum, and nothing behind it (RF 6.4). */
async function checkOneZstdFrame(path: string): Promise<void> {
  await using file = await openFileReader(path)
  const start = await file.read(5)
  if (start.readUInt32LE(0) !== 0xfd2f_b528) throw new Error('does not begin with a zstd frame')
  const descriptor = start.readUInt8(4)
  const singleSegment = (descriptor & 0x20) !== 0
  if ((descriptor & 0x03) !== 0) throw new Error('zstd frame with a dictionary')
  if ((descriptor & 0x04) === 0) throw new Error('zstd frame without content checksum')
  if (!singleSegment) {
    const window = (await file.read(1)).readUInt8(0)
    const base = 2 ** (10 + (window >> 3))
    if (base + (base / 8) * (window & 7) > 2 ** 29) throw new Error('zstd window above 512 MiB')
  }
  file.skip([singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0)
  for (;;) {
    const block = (await file.read(3)).readUIntLE(0, 3)
    const type = (block >> 1) & 3
    if (type === 3) throw new Error('zstd block of an unknown type')
    file.skip(type === 1 ? 1 : block >> 3)
    if ((block & 1) === 1) break
  }
  await file.read(4)
  if (file.remaining() > 0) throw new Error(`${file.remaining()} bytes behind the zstd frame`)
}

/** A brotli stream must need its last byte: otherwise something stands behind it. */
async function checkBrotliEnd(path: string): Promise<void> {
  const { size } = statSync(path)
  if (size < 2) return
  try {
    for await (const _ of decoded(path, createBrotliDecompress({ chunkSize: 1 << 18 }), size - 2));
  } catch {
    return
  }
  throw new Error('bytes behind the brotli stream')
}
