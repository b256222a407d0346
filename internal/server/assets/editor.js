// Starts GraphiQL. The examples open by address: /graphiql?example=menu; any document does too: /graphiql?query=…
(function () {
  'use strict';

  const place = document.getElementById('graphiql');
  // GraphiQL gives this nonce to the style elements that it adds; the page's policy allows no others.
  window.__webpack_nonce__ = place.dataset.nonce;

  const address = new URLSearchParams(window.location.search);

  // The editors' own text areas have no names for screen readers; the sections around them do.
  new MutationObserver(function () {
    for (const area of place.querySelectorAll('textarea:not([aria-label])')) {
      const section = area.closest('[aria-label]');
      area.setAttribute('aria-label', section ? section.getAttribute('aria-label') : 'Editor');
    }
  }).observe(place, { childList: true, subtree: true });

  function start(examples) {
    const tabs = examples.map(function (example) {
      return { query: example.query, variables: example.variables || '' };
    });
    const props = {
      fetcher: GraphiQL.createFetcher({ url: place.dataset.endpoint }),
      defaultTabs: tabs.slice(0, 3),
      shouldPersistHeaders: false,
      isHeadersEditorEnabled: false,
    };
    const chosen = examples.find(function (example) {
      return example.key === address.get('example');
    });
    if (chosen) {
      props.query = chosen.query;
      props.variables = chosen.variables || '';
    } else if (address.has('query')) {
      props.query = address.get('query');
      props.variables = address.get('variables') || '';
    }
    place.replaceChildren();
    ReactDOM.createRoot(place).render(React.createElement(GraphiQL, props));
  }

  fetch(place.dataset.examples)
    .then(function (response) {
      if (!response.ok) {
        throw new Error('the examples answered ' + response.status);
      }
      return response.json();
    })
    .catch(function (error) {
      console.error(error);
      return [];
    })
    .then(start);
})();
