// The pages of the catalogue. Rows depend on SEED; the time, the chart's noise and the API's answers differ from
// load to load, as they do in real applications, so that no two recordings are equal.
const seed = Number(process.env.SEED ?? 1);

export const names = ['catalog', 'deployments', 'images', 'events', 'pipelines', 'settings', 'enroll', 'registry'];

function row(name, i, r) {
  const digest = ((BigInt(r + 1) * 0x9e3779b97f4a7c15n) % (1n << 64n)).toString(16);
  return `<tr><td>${name}-${r}</td><td>${(r * 7919 + i * 104729 + seed * 31) % 100003}</td><td>sha256:${digest}</td><td><button class="btn btn-sm btn-primary" data-row="${r}">Open</button></td></tr>`;
}

export function page(name) {
  const i = names.indexOf(name);
  const rows = Array.from({ length: 200 }, (_, r) => row(name, i, r)).join('\n');
  return `<!doctype html>
<html>
<head>
<title>${name}</title>
<link rel="stylesheet" href="/bootstrap.min.css">
<script src="/jquery.min.js"></script><script src="/chart.umd.min.js"></script><script src="/vue.global.prod.js"></script>
</head>
<body class="container">
<nav class="nav">${names.map((n) => `<a class="nav-link" href="/${n}.html">${n}</a>`).join('')}</nav>
<h1>${name}</h1><div id="now"></div><canvas id="chart" width="800" height="300"></canvas>
<div id="app"><input id="q" v-model="q" placeholder="filter"><p id="count">{{n}}</p></div><div id="panel"></div>
<table class="table table-striped"><tbody>
${rows}
</tbody></table>
<script>
document.getElementById('now').textContent = new Date().toISOString();
const steps = [...Array(50).keys()];
new Chart(document.getElementById('chart'), { type: 'line', data: { labels: steps, datasets: [{ label: '${name}', data: steps.map((x) => Math.sin(x / ${i + 2}) * 100 + Math.random() * 5) }] } });
Vue.createApp({
  data() { return { q: '', n: 0 }; },
  watch: { q(words) { let n = 0; $('tbody tr').each((_, e) => { const shown = e.textContent.includes(words); $(e).toggle(shown); n += shown; }); this.n = n; } },
}).mount('#app');
$('button').on('click', async (e) => $('#panel').text(JSON.stringify(await (await fetch('/api/${name}/' + e.target.dataset.row)).json())));
</script>
</body>
</html>`;
}

export function answer(path) {
  const items = Array.from({ length: 100 }, (_, i) => ({ i, name: path + i, ok: i % 3 === 0 }));
  return JSON.stringify({ path, id: Math.random().toString(36).slice(2), at: new Date().toISOString(), items });
}
