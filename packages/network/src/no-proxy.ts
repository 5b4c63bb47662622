/**
 * Whether a host is to be reached without the proxy, by the rules that curl and others share for `NO_PROXY`: a list separated by
 * commas or spaces; `*` is every host; `example.org` and `.example.org` mean that host and all below it; `host:port` that port only.
 * Addresses are compared as text.
 */
export function isExemptFromProxy(target: URL, noProxy: string | undefined): boolean {
  const host = target.hostname.replaceAll(/^\[|\]$/g, '').toLowerCase()
  const port = target.port === '' ? (target.protocol === 'https:' ? '443' : '80') : target.port
  return (noProxy ?? '')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => entry === '*' || matches(entry, host, port))
}

function matches(entry: string, host: string, port: string): boolean {
  const [, name = entry, onlyPort] = /^\[?(.+?)\]?(?::(\d+))?$/.exec(isBareIpv6(entry) ? `[${entry}]` : entry) ?? []
  if (onlyPort !== undefined && onlyPort !== port) return false
  const bare = name.replace(/^\*?\./, '')
  return host === bare || host.endsWith(`.${bare}`)
}

function isBareIpv6(entry: string): boolean {
  return !entry.startsWith('[') && (entry.match(/:/g)?.length ?? 0) > 1
}
