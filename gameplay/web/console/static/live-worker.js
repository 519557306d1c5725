// A SharedWorker: all tabs of a browser have one stream between them, and none while no tab is visible. Over HTTP/1.1
// a browser has six connections to a host; a stream a tab would leave none for anything else.

const visible = new Map(); // port -> whether its tab is
let source = null;
let last = null;

function tell(message) {
  for (const [port, seen] of visible) if (seen) port.postMessage(message);
}

function open(url) {
  source = new EventSource(url);
  source.addEventListener("open", () => tell({ connected: true }));
  source.addEventListener("error", () => tell({ connected: false }));
  source.addEventListener("head", (event) => {
    last = JSON.parse(event.data);
    tell({ connected: true, news: last });
  });
}

onconnect = ({ ports: [port] }) => {
  visible.set(port, false);
  port.onmessage = ({ data }) => {
    if (data.gone) visible.delete(port);
    else visible.set(port, data.visible);
    const wanted = [...visible.values()].some(Boolean);
    if (wanted && !source) open(data.url);
    if (!wanted && source) { source.close(); source = null; last = null; }
    if (data.visible && last) port.postMessage({ connected: true, news: last });
  };
};
