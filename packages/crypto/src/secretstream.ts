import { isFault } from '@waltz/errors'
import { engineMissingFault } from './crypto-faults.ts'

/** Which implementation of libsodium works: native code, or WebAssembly at about half the speed. */
export type SodiumEngineName = 'sodium-native' | 'libsodium-wrappers'

/** Bytes before the first chunk. */
export const HEADER_BYTES = 24
/** What a chunk is longer than its content: one tag byte and the authenticator. */
export const OVERHEAD_BYTES = 17
export const TAG_MESSAGE = 0
export const TAG_FINAL = 3

/** One message of `crypto_secretstream_xchacha20poly1305`, chunk by chunk, in one direction. */
export interface SecretStream {
  /** Encrypts a chunk into `out`, which is longer than it by `OVERHEAD_BYTES`. */
  push(chunk: Uint8Array, tag: number, out: Uint8Array): void
  /** Decrypts a chunk into `out`, which is shorter than it by `OVERHEAD_BYTES`; its tag, or undefined when it does not open. */
  pull(chunk: Uint8Array, out: Uint8Array): number | undefined
  /** Overwrites the state, which is as good as the key. */
  close(): void
}

/** An implementation of libsodium's secretstream. */
export interface SodiumEngine {
  readonly name: SodiumEngineName
  /**
   * A stream under a header of 24 bytes and a key of 32. Both directions begin with the same state, so what libsodium calls
   * `init_pull` makes either: that way the header is ours to choose, and engines can be compared byte by byte.
   */
  open(header: Uint8Array, key: Uint8Array): SecretStream
}

/**
 * Loads an engine; without a name the native one where it loads, else the other.
 * @throws Fault `unsupported` `CRYPTO_ENGINE_MISSING`.
 */
export async function loadSodium(name?: SodiumEngineName): Promise<SodiumEngine> {
  if (name === 'sodium-native') return nativeEngine()
  if (name === 'libsodium-wrappers') return wasmEngine()
  try {
    return await nativeEngine()
  } catch (error) {
    if (!isFault(error, 'unsupported')) throw error
    return wasmEngine()
  }
}

/** What is used of `sodium-native` 5, whose types are published for older versions only. */
interface SodiumNative {
  readonly crypto_secretstream_xchacha20poly1305_STATEBYTES: number
  crypto_secretstream_xchacha20poly1305_init_pull(state: Uint8Array, header: Uint8Array, key: Uint8Array): void
  crypto_secretstream_xchacha20poly1305_push(state: Uint8Array, out: Uint8Array, chunk: Uint8Array, ad: null, tag: number): number
  crypto_secretstream_xchacha20poly1305_pull(state: Uint8Array, out: Uint8Array, tag: Uint8Array, chunk: Uint8Array, ad: null): number
}

async function nativeEngine(): Promise<SodiumEngine> {
  const sodium = await import('sodium-native').then(
    (loaded) => ((loaded as { readonly default?: unknown }).default ?? loaded) as unknown as SodiumNative,
    (error: unknown) => {
      throw engineMissingFault('sodium-native', 'the native engine of libsodium', error)
    },
  )
  return {
    name: 'sodium-native',
    open(header, key) {
      const state = Buffer.alloc(sodium.crypto_secretstream_xchacha20poly1305_STATEBYTES)
      const tag = Buffer.alloc(1)
      sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, header, key)
      return {
        push: (chunk, wanted, out) => void sodium.crypto_secretstream_xchacha20poly1305_push(state, out, chunk, null, wanted),
        pull(chunk, out) {
          try {
            sodium.crypto_secretstream_xchacha20poly1305_pull(state, out, tag, chunk, null)
          } catch {
            return undefined
          }
          return tag[0]
        },
        close: () => void state.fill(0),
      }
    },
  }
}

/** What is used of the memory of `libsodium-wrappers`, whose types leave it out. */
interface WasmMemory {
  readonly HEAPU8: Uint8Array
  _free(address: number): void
}

/** `sizeof crypto_secretstream_xchacha20poly1305_state`. */
const WASM_STATE_BYTES = 52

async function wasmEngine(): Promise<SodiumEngine> {
  const sodium = await import('libsodium-wrappers').then(
    (loaded) => loaded.default,
    (error: unknown) => {
      throw engineMissingFault('libsodium-wrappers', 'the portable engine of libsodium', error)
    },
  )
  await sodium.ready
  const memory = (sodium as unknown as { readonly libsodium: WasmMemory }).libsodium
  return {
    name: 'libsodium-wrappers',
    open(header, key) {
      const state = sodium.crypto_secretstream_xchacha20poly1305_init_pull(header, key)
      return {
        push: (chunk, tag, out) => out.set(sodium.crypto_secretstream_xchacha20poly1305_push(state, chunk, null, tag)),
        pull(chunk, out) {
          const opened = sodium.crypto_secretstream_xchacha20poly1305_pull(state, chunk, null)
          if (opened === false) return undefined
          out.set(opened.message)
          return opened.tag
        },
        close() {
          // The state is a bare address in the memory of the module, which nobody else frees.
          const address = state as unknown as number
          memory.HEAPU8.fill(0, address, address + WASM_STATE_BYTES)
          // oxlint-disable-next-line no-underscore-dangle -- the name that the module gave it
          memory._free(address)
        },
      }
    },
  }
}
