/** What one run of the driver does, as it is handed from the harness to the process that is measured. */

/** Codecs and ciphers of the packages; the last three are the libraries below the ciphers, called in a bare loop. */
export type StageName =
  | 'lz4'
  | 'lz4 4 MiB'
  | 'zstd'
  | 'brotli'
  | 'brotli-wasm'
  | 'lzma'
  | 'lzma-native'
  | 'gzip'
  | 'lzo'
  | 'libsodium'
  | 'openpgp'
  | 'aws-kms'
  | 'sodium-native'
  | 'node:crypto'

/** `pack` compresses or encrypts, `unpack` is the way back. */
export type Direction = 'pack' | 'unpack'

/** One run: a file through a stage, once or several times at once. */
export interface DriverJob {
  readonly stage: StageName
  readonly direction: Direction
  /** What is read, over and over until `bytes` of it have gone through a stream; `bytes` is left out for the file as it is. */
  readonly input: string
  readonly bytes?: number
  /** Where the result goes; /dev/null unless it is wanted. */
  readonly output?: string
  /** Streams at once, each through the whole input. */
  readonly streams: number
  /** Whether the stage works for a second before the clock starts. Left out where memory is measured. */
  readonly warm: boolean
  /** An armoured private key of OpenPGP. */
  readonly keyFile?: string
}

/** What the driver prints: the time of the streams alone, without the start of the process, and what memory they took. */
export interface DriverReport {
  readonly wallMs: number
  /** User and system time of all threads. */
  readonly cpuMs: number
  /** Resident before the first stream, with everything loaded. */
  readonly baseRssBytes: number
  /** The most that was resident afterwards. */
  readonly peakRssBytes: number
  readonly bytesIn: number
  readonly bytesOut: number
}

const MARK = 'driver report: '

/** The line that the driver prints. */
export function formatReport(report: DriverReport): string {
  return `${MARK}${JSON.stringify(report)}\n`
}

/** Finds the report in what a process printed; undefined when there is none. */
export function parseReport(output: string): DriverReport | undefined {
  const line = output.split('\n').findLast((text) => text.startsWith(MARK))
  if (line === undefined) return undefined
  const report = JSON.parse(line.slice(MARK.length)) as DriverReport
  const figures = [report.wallMs, report.cpuMs, report.baseRssBytes, report.peakRssBytes, report.bytesIn, report.bytesOut]
  return figures.every(Number.isFinite) ? report : undefined
}
