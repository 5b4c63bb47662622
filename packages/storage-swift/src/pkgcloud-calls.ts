import { header } from './errors.ts'
import type { SwiftRequest } from './client.ts'
import type { PkgcloudClient, PkgcloudSink } from './pkgcloud-client.ts'

/** One call of a function of `pkgcloud`; an upload gives back what its bytes are written to. */
export type PkgcloudCall = (client: PkgcloudClient) => PkgcloudSink | undefined

/** The container and the key of a request; the key is undefined for the container itself. */
interface Target {
  readonly container: string
  readonly key: string | undefined
}

/** Answers are taken from the request itself: see `PkgcloudClient`. */
const ignored = (): void => undefined

type Chosen = (target: { readonly container: string; readonly key: string }, request: SwiftRequest) => PkgcloudCall | undefined

const objectCalls: Readonly<Record<string, Chosen>> = {
  GET:
    ({ container, key: remote }) =>
    (client) =>
      void client.download({ container, remote }),
  HEAD:
    ({ container, key }) =>
    (client) =>
      client.getFile(container, key, ignored) as undefined,
  DELETE:
    ({ container, key }) =>
    (client) =>
      client.removeFile(container, key, ignored) as undefined,
  PUT: (target, request) => copyCall(target, request) ?? uploadCall(target, request),
}

const containerCalls: Readonly<Record<string, (container: string, request: SwiftRequest) => PkgcloudCall>> = {
  // It sends `format=json` by itself.
  GET:
    (container, { query: { format: _format, ...query } = {} }) =>
    (client) =>
      client.getFiles(container, query, ignored) as undefined,
  HEAD: (container) => (client) => client.getContainer(container, ignored) as undefined,
}

/**
 * What `pkgcloud` has for a request. Undefined where it has nothing: manifests of large objects, deletion of many (it sends names as they
 * are, so that `%41` would remove `A`), making a container under a storage policy, and what the server says of itself.
 */
export function pkgcloudCall(request: SwiftRequest): PkgcloudCall | undefined {
  const target = targetOf(request.path)
  if (target === undefined) return undefined
  const { container, key } = target
  if (key === undefined) return containerCalls[request.method]?.(container, request)
  return request.query === undefined ? objectCalls[request.method]?.({ container, key }, request) : undefined
}

function uploadCall(
  { container, key }: { readonly container: string; readonly key: string },
  { body, headers = {} }: SwiftRequest,
): PkgcloudCall | undefined {
  if (body === undefined) return undefined
  // Without a type it would guess one from the name.
  const contentType = headers['content-type'] ?? 'application/octet-stream'
  return (client) => client.upload({ container, remote: key, contentType })
}

/** The destination stands in a header, which `pkgcloud` does not encode. */
function copyCall(
  { container, key }: { readonly container: string; readonly key: string },
  request: SwiftRequest,
): PkgcloudCall | undefined {
  const source = targetOf(header({ headers: request.headers ?? {} }, 'x-copy-from') ?? '')
  if (source?.key === undefined) return undefined
  const { container: sourceContainer, key: sourceFile } = source
  const [destinationContainer, destinationFile] = [encodeURIComponent(container), key.split('/').map(encodeURIComponent).join('/')]
  return (client) => client.copy({ sourceContainer, sourceFile, destinationContainer, destinationFile }, ignored) as undefined
}

/** The opposite of `pathOf`. Undefined for the account. */
function targetOf(path: string): Target | undefined {
  const [, container, key] = /^\/([^/]+)(?:\/(.+))?$/s.exec(path) ?? []
  if (container === undefined) return undefined
  return { container: decodeURIComponent(container), key: key === undefined ? undefined : decodeURIComponent(key) }
}
