import { constants, mkdtempSync, rmSync, type Stats } from 'node:fs'
import * as fs from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import type { AuthContext, Connection, FileEntry, ParsedKey, SFTPWrapper } from 'ssh2'

const { Server, utils } = ssh2
const { OPEN_MODE, STATUS_CODE } = utils.sftp

/** A server of SFTP version 3 without one of OpenSSH's extensions, in this process, over a folder that goes with it. */
export interface PlainServer extends AsyncDisposable {
  readonly port: number
  readonly root: string
  /** In wire format, one for each kind. */
  readonly hostKeys: readonly Buffer[]
  /** The first of them as it stands in known_hosts files. */
  readonly hostKeyLine: string
  /** Connections that were let in so far. */
  readonly logins: () => number
  /** Breaks off all connections. */
  drop(): void
  close(): Promise<void>
}

export interface PlainServerOptions {
  /** Private keys; one of ed25519 unless given. */
  readonly hostKeys?: readonly string[]
  /** Whom to let in; anybody unless given. */
  readonly authenticate?: (context: AuthContext) => void
  /** A rename replaces what is there, against the rules. */
  readonly renameReplaces?: boolean
  /** Called before each request; an answer that it gives is sent instead of doing anything. */
  readonly refuse?: (request: string, path: string) => { readonly status: number; readonly message: string } | 'silence' | undefined
  /** Connections that are accepted at a time; all unless given. */
  readonly maxConnections?: number
}

/** A pair of keys. The library makes one now and then that it cannot read itself: then another one. */
export function makeKey(type: 'ed25519' | 'ecdsa' | 'rsa' = 'ed25519'): { readonly private: string; readonly public: string } {
  const bits = type === 'rsa' ? 2048 : 256
  const pair = type === 'ed25519' ? utils.generateKeyPairSync(type) : utils.generateKeyPairSync(type as 'rsa', { bits })
  return utils.parseKey(pair.private) instanceof Error ? makeKey(type) : pair
}

/** A public key in wire format. */
export const wireKey = (text: string): Buffer => Buffer.from(text.split(' ')[1] ?? '', 'base64')

export async function startPlainServer(options: PlainServerOptions = {}): Promise<PlainServer> {
  const root = mkdtempSync(join(tmpdir(), 'plain-sftp-'))
  const hostKeys = options.hostKeys ?? [makeKey().private]
  const connections = new Set<Connection>()
  let logins = 0
  const server = new Server({ hostKeys: [...hostKeys] }, (client) => {
    if (connections.size >= (options.maxConnections ?? Infinity)) {
      client.on('error', () => undefined)
      client.end()
      return
    }
    connections.add(client)
    // Not in the types, but there: without it every small answer waits for the acknowledgement of the one before.
    ;(client as unknown as { setNoDelay(on: boolean): void }).setNoDelay(true)
    client.on('close', () => connections.delete(client)).on('error', () => undefined)
    client.on('authentication', (context) => (options.authenticate === undefined ? context.accept() : options.authenticate(context)))
    client.on('ready', () => {
      logins += 1
      client.on('session', (accept) => accept().on('sftp', (acceptSftp) => serve(acceptSftp(), options)))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const drop = (): void => {
    for (const client of connections) {
      const { _sock: socket } = client as unknown as { readonly _sock: { destroy(): void } }
      socket.destroy()
    }
  }
  const close = async (): Promise<void> => {
    drop()
    await new Promise<void>((resolve) => server.close(() => resolve()))
    rmSync(root, { recursive: true, force: true })
  }
  const wireKeys = hostKeys.map((text) => {
    const parsed: unknown = utils.parseKey(text)
    return ((Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey).getPublicSSH()
  })
  const [first = Buffer.alloc(0)] = wireKeys
  return {
    port: (server.address() as AddressInfo).port,
    root,
    hostKeys: wireKeys,
    hostKeyLine: `${first.toString('latin1', 4, 4 + first.readUInt32BE(0))} ${first.toString('base64')}`,
    logins: () => logins,
    drop,
    close,
    [Symbol.asyncDispose]: close,
  }
}

type Open = { readonly file: fs.FileHandle } | { readonly entries: FileEntry[] }

function serve(sftp: SFTPWrapper, { refuse, renameReplaces = false }: PlainServerOptions): void {
  const opened = new Map<number, Open>()
  let next = 0
  const handleOf = (open: Open): Buffer => {
    next += 1
    opened.set(next, open)
    const handle = Buffer.alloc(4)
    handle.writeUInt32BE(next)
    return handle
  }
  const fileOf = (handle: Buffer): fs.FileHandle => {
    const open = opened.get(handle.readUInt32BE(0))
    if (open === undefined || !('file' in open)) throw Object.assign(new Error('no such handle'), { code: 'EBADF' })
    return open.file
  }
  const answer = (id: number, name: string, path: string, work: () => Promise<void>): void => {
    const refusal = refuse?.(name, path)
    if (refusal === 'silence') return
    if (refusal !== undefined) sftp.status(id, refusal.status, refusal.message)
    else work().catch((error: unknown) => sftp.status(id, statusFor(error)))
  }
  const ok = (id: number): void => sftp.status(id, STATUS_CODE.OK)

  sftp.on('OPEN', (id, path, flags) =>
    answer(id, 'OPEN', path, async () => sftp.handle(id, handleOf({ file: await fs.open(path, systemFlags(flags)) }))),
  )
  sftp.on('CLOSE', (id, handle) =>
    answer(id, 'CLOSE', '', async () => {
      const open = opened.get(handle.readUInt32BE(0))
      opened.delete(handle.readUInt32BE(0))
      if (open !== undefined && 'file' in open) await open.file.close()
      ok(id)
    }),
  )
  sftp.on('READ', (id, handle, offset, length) =>
    answer(id, 'READ', '', async () => {
      // Less than it was asked for, as servers may.
      const { bytesRead, buffer } = await fileOf(handle).read(Buffer.alloc(Math.min(length, 10_000)), 0, Math.min(length, 10_000), offset)
      if (bytesRead === 0) sftp.status(id, STATUS_CODE.EOF)
      else sftp.data(id, buffer.subarray(0, bytesRead))
    }),
  )
  sftp.on('WRITE', (id, handle, offset, data) =>
    answer(id, 'WRITE', '', async () => {
      await fileOf(handle).write(data, 0, data.length, offset)
      ok(id)
    }),
  )
  const attributes = (stats: Stats): Parameters<SFTPWrapper['attrs']>[1] => ({
    mode: stats.mode,
    uid: stats.uid,
    gid: stats.gid,
    size: stats.size,
    atime: Math.floor(stats.atimeMs / 1000),
    mtime: Math.floor(stats.mtimeMs / 1000),
  })
  sftp.on('FSTAT', (id, handle) => answer(id, 'FSTAT', '', async () => sftp.attrs(id, attributes(await fileOf(handle).stat()))))
  sftp.on('STAT', (id, path) => answer(id, 'STAT', path, async () => sftp.attrs(id, attributes(await fs.stat(path)))))
  sftp.on('LSTAT', (id, path) => answer(id, 'LSTAT', path, async () => sftp.attrs(id, attributes(await fs.lstat(path)))))
  sftp.on('SETSTAT', (id, path, attrs) =>
    answer(id, 'SETSTAT', path, async () => {
      await fs.utimes(path, attrs.atime, attrs.mtime)
      ok(id)
    }),
  )
  sftp.on('OPENDIR', (id, path) =>
    answer(id, 'OPENDIR', path, async () => {
      const entries: FileEntry[] = []
      for (const filename of await fs.readdir(path)) {
        const stats = await fs.lstat(join(path, filename)).catch(() => undefined)
        if (stats !== undefined) entries.push({ filename, longname: filename, attrs: attributes(stats) })
      }
      sftp.handle(id, handleOf({ entries }))
    }),
  )
  sftp.on('READDIR', (id, handle) =>
    answer(id, 'READDIR', '', async () => {
      const open = opened.get(handle.readUInt32BE(0))
      const entries = open !== undefined && 'entries' in open ? open.entries.splice(0, 50) : []
      if (entries.length === 0) sftp.status(id, STATUS_CODE.EOF)
      else sftp.name(id, entries)
    }),
  )
  sftp.on('REMOVE', (id, path) => answer(id, 'REMOVE', path, async () => ok((await fs.unlink(path), id))))
  sftp.on('MKDIR', (id, path) => answer(id, 'MKDIR', path, async () => ok((await fs.mkdir(path), id))))
  sftp.on('RMDIR', (id, path) => answer(id, 'RMDIR', path, async () => ok((await fs.rmdir(path), id))))
  sftp.on('REALPATH', (id, path) =>
    answer(id, 'REALPATH', path, async () =>
      sftp.name(id, [{ filename: await fs.realpath(path), longname: '', attrs: {} as FileEntry['attrs'] }]),
    ),
  )
  sftp.on('RENAME', (id, from, to) =>
    answer(id, 'RENAME', to, async () => {
      if (renameReplaces) await fs.rename(from, to)
      else {
        await fs.link(from, to)
        await fs.unlink(from)
      }
      ok(id)
    }),
  )
}

function statusFor(error: unknown): number {
  const code = (error as { readonly code?: string }).code ?? ''
  if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code)) return STATUS_CODE.NO_SUCH_FILE
  return ['EACCES', 'EPERM'].includes(code) ? STATUS_CODE.PERMISSION_DENIED : STATUS_CODE.FAILURE
}

function systemFlags(flags: number): number {
  const has = (mode: number): boolean => (flags & mode) !== 0
  const access = has(OPEN_MODE.WRITE) ? (has(OPEN_MODE.READ) ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY
  return access | (has(OPEN_MODE.CREAT) ? constants.O_CREAT : 0) | (has(OPEN_MODE.EXCL) ? constants.O_EXCL : 0)
}
