import { keyOf, type TlsConf } from "../pipe/tls_conf.ts";
import { offer } from "./alpn.ts";

/** What a client asks for. */
export function clientTls(useSsl: boolean | TlsConf, host: string) {
  const conf = confOf(useSsl);
  return {
    caCerts: [...conf.caCerts ?? []],
    serverName: (conf.serverName ?? host).replace(/\.$/, "").replace(/%.*/, ""),
    alpnProtocols: offer(conf.alpnProtocols),
  };
}

/** What a server shows. */
export function serverTls(useSsl: boolean | TlsConf) {
  const conf = confOf(useSsl);
  return {
    cert: conf.cert ?? "",
    key: keyOf(conf) ?? "",
    alpnProtocols: offer(conf.alpnProtocols),
  };
}

function confOf(useSsl: boolean | TlsConf): TlsConf {
  return typeof useSsl === "boolean" ? {} : useSsl;
}
