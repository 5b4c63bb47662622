/** The packages of Waltz as programs use them, and the libraries below them: the driver runs them in a process of its own. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { workspaceRoot } from '@waltz/testkit'
import type { DriverJob, StageName } from '../driver/job.ts'
import { firstLine } from '../files.ts'
import type { Action, Peer, Tools, TransformJob } from '../model.ts'

const DRIVER = join(workspaceRoot, 'bench/src/driver/main.ts')

/** Runs a stage of the driver; whether it is one of the packages or a bare loop, its name says. */
export function driverAction(job: TransformJob, { node }: Tools, stage: StageName = job.stage): Action {
  const { direction, input, output, bytes, streams, memory, keys } = job
  const given: DriverJob = {
    stage,
    direction,
    input,
    streams,
    warm: !memory,
    keyFile: keys.keyFile,
    ...(output !== undefined && { output }),
    ...(bytes !== undefined && { bytes }),
  }
  return {
    prepare: () => undefined,
    command: { argv: [node, '--conditions=source', DRIVER, JSON.stringify(given)], reports: true },
  }
}

/** libsodium itself, called chunk by chunk as WAL-G's format wants it. */
export const sodiumLoop: Peer = {
  name: 'sodium-native',
  durability: 'writes nothing',
  debian: undefined,
  ownFormat: true,
  find: () => {
    try {
      const path = createRequire(import.meta.url).resolve('sodium-native/package.json')
      const { version } = createRequire(import.meta.url)(path) as { readonly version: string }
      return { path, version: `sodium-native ${version}` }
    } catch {
      return undefined
    }
  },
  transform: (job, tools) => (job.stage === 'libsodium' ? driverAction(job, tools, 'sodium-native') : undefined),
}

/** OpenSSL itself, called package by package as DARE has it. */
export const nodeCryptoLoop: Peer = {
  name: 'node:crypto',
  durability: 'writes nothing',
  debian: undefined,
  ownFormat: true,
  find: ({ node }) => ({ path: node, version: `OpenSSL ${opensslOf(node)}` }),
  transform: (job, tools) => (job.stage === 'aws-kms' ? driverAction(job, tools, 'node:crypto') : undefined),
}

function opensslOf(node: string): string {
  return firstLine(node, ['-p', 'process.versions.openssl'])
}
