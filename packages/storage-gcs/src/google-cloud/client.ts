import { Storage, type Bucket as ClientBucket, type File as ClientFile } from '@google-cloud/storage'
import type { PassThroughClient } from 'google-auth-library'
import type { EngineSurroundings } from '../engine.ts'
import type { Operation, OperationCall, Outcome } from './operation.ts'
import { connectionOf, createTransport } from './transport.ts'

/** The client, for one operation. */
export interface ClientAtWork {
  readonly bucket: ClientBucket
  /** With the customer-supplied key, if there is one. */
  readonly file: (key: string, generation?: string) => ClientFile
  /** A request that the client has no method for. */
  readonly request: (options: {
    readonly method: string
    readonly uri: string
    readonly headers?: Readonly<Record<string, string>>
  }) => Promise<unknown>
}

/** Runs something with the client. */
export type RunClient = <T>(
  call: OperationCall & { readonly headers?: Readonly<Record<string, string>> },
  work: (client: ClientAtWork, operation: Operation) => Promise<T>,
) => Promise<Outcome<T>>

/** So that the client does not ask around for a project, which no request here needs. */
const UNUSED_PROJECT = 'none'

/**
 * A client whose requests are those of one operation: made once, with the store's access token, over the store's connections, with `headers` besides
 * the client's own.
 */
export function clientFor(
  auth: PassThroughClient,
  { bucket: { name, options }, endpoint }: EngineSurroundings,
  {
    operation,
    call,
    headers,
  }: { readonly operation: Operation; readonly call: OperationCall; readonly headers?: Readonly<Record<string, string>> },
): ClientAtWork {
  const { userProject, encryptionKey } = options
  const storage = new Storage({
    apiEndpoint: endpoint,
    projectId: UNUSED_PROJECT,
    authClient: auth,
    retryOptions: { autoRetry: false, retryableErrorFn: () => false },
    userAgent: 'waltz',
  })
  // The client takes another address from the environment (STORAGE_EMULATOR_HOST).
  storage.baseUrl = `${endpoint}/storage/v1`
  storage.makeAuthenticatedRequest = createTransport(auth, operation, call) as unknown as Storage['makeAuthenticatedRequest']
  const { token } = operation
  const ours = { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  storage.interceptors.push({
    request: (request): typeof request & { uri: string } =>
      ({ ...request, ...connectionOf(operation), headers: { ...request.headers, ...ours } }) as typeof request & { uri: string },
  })
  const bucket = storage.bucket(name, userProject === undefined ? {} : { userProject })
  const secret = encryptionKey === undefined ? {} : { encryptionKey: Buffer.from(encryptionKey) }
  return {
    bucket,
    file: (key, generation) => heard(bucket.file(key, { ...secret, ...(generation === undefined ? {} : { generation }) })),
    request: (request) =>
      new Promise((resolve, reject) => {
        const qs = userProject === undefined ? {} : { userProject }
        storage.request({ ...request, qs }, (error, body) => (error === null ? resolve(body) : reject(error)))
      }),
  }
}

/**
 * When an upload fails, a stream within the client tells of it after the client has let go of it: with nobody listening, that would end the process. These
 * methods are the only places where that stream can be had.
 */
function heard(file: ClientFile): ClientFile {
  for (const method of ['startResumableUpload_', 'startSimpleUpload_'] as const) {
    const start = file[method].bind(file)
    file[method] = (stream, options) => {
      stream.on('error', () => undefined)
      start(stream, options)
    }
  }
  return file
}
