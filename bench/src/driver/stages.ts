/** The stages by name, with everything loaded that they need. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CHUNK_BYTES, type ByteStage } from '@waltz/bytes'
import type { Codec } from '@waltz/codecs'
import type { Cipher } from '@waltz/crypto'
import type { DriverJob, StageName } from './job.ts'
import { nodeCryptoStage, sodiumNativeStage, wholePieces } from './raw-loops.ts'

/** A stage, and the size of the chunks that it is given. */
export interface OpenedStage {
  readonly run: ByteStage
  readonly chunkBytes: number
}

/** What the file store reads at once. */
const STORED_CHUNK_BYTES = 524_288

/** Opens what the job names. */
export async function openStage({ stage, direction, keyFile }: DriverJob): Promise<OpenedStage> {
  const bare =
    stage === 'sodium-native' ? await sodiumNativeStage(direction) : stage === 'node:crypto' ? nodeCryptoStage(direction) : undefined
  if (bare !== undefined) return { run: bare, chunkBytes: wholePieces(stage, direction) ?? CHUNK_BYTES }
  const codec = await codecs[stage]?.()
  if (codec !== undefined) {
    return direction === 'pack'
      ? { run: (source) => codec.compress(source), chunkBytes: codec.chunkBytes }
      : { run: (source) => codec.decompress(source), chunkBytes: STORED_CHUNK_BYTES }
  }
  const cipher = await ciphers[stage]?.(keyFile)
  if (cipher === undefined) throw new Error(`there is no stage ${stage}`)
  return direction === 'pack'
    ? { run: (source) => cipher.encrypt(source), chunkBytes: CHUNK_BYTES }
    : { run: (source) => cipher.decrypt(source), chunkBytes: STORED_CHUNK_BYTES }
}

const codecs: Partial<Record<StageName, () => Promise<Codec>>> = {
  lz4: async () => (await import('@waltz/codecs/lz4')).lz4(),
  'lz4 4 MiB': async () => (await import('@waltz/codecs/lz4')).lz4({ blockBytes: 4_194_304 }),
  zstd: async () => (await import('@waltz/codecs/zstd')).zstd(),
  brotli: async () => (await import('@waltz/codecs/brotli')).brotli(),
  'brotli-wasm': async () => (await import('@waltz/codecs/brotli')).openBrotli({ engine: 'brotli-wasm' }),
  lzma: async () => (await import('@waltz/codecs/lzma')).openLzma(),
  'lzma-native': async () => (await import('@waltz/codecs/lzma')).openLzma({ engine: 'lzma-native' }),
  gzip: async () => (await import('@waltz/codecs/gzip')).gzip(),
  lzo: async () => (await import('@waltz/codecs/lzo')).lzo(),
}

const ciphers: Partial<Record<StageName, (keyFile: string | undefined) => Promise<Cipher>>> = {
  libsodium: async () => (await import('@waltz/crypto/libsodium')).libsodium({ key: Buffer.alloc(32, 7), engine: 'sodium-native' }),
  openpgp: async (keyFile = '') => {
    const { openpgp } = await import('@waltz/crypto/openpgp')
    return openpgp({ armoredKeys: readFileSync(keyFile, 'utf8'), now: () => new Date() })
  },
  'aws-kms': async () => (await import('@waltz/crypto/aws-kms')).awsKms({ service: localService }),
}

/** Stands for the key service: it answers at once, and always with the same mask. */
const mask = createHash('sha256').update('bench').digest()
const mixed = (key: Uint8Array): Uint8Array => key.map((byte, at) => byte ^ (mask[at] ?? 0))
const localService = {
  keyId: 'bench',
  wrap: async (key: Uint8Array) => Buffer.concat([mixed(key), Buffer.alloc(152)]),
  unwrap: async (wrapped: Uint8Array) => mixed(wrapped.subarray(0, 32)),
}
